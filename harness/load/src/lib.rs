//! Load for kab: schedules, the open-loop generator, subscribers.
