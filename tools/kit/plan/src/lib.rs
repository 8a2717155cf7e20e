//! Parse, plan, act: steps, plans, journals, recovery.
