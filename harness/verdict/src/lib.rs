//! Measurements, claims and three-valued verdicts, from evidence alone.
