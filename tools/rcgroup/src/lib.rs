//! Control groups: this much and no more.
