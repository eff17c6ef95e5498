//! The systems on trial: entity model, gateway, webhook, informer, and how they are deployed.
