//! Undoes journalled kernel objects.
