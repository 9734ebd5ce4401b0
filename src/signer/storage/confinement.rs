//! What the process may still touch, once the command line is read: `src/confine` does it.

pub use coldsign_confine::{Calls, Confined, Files, Reach, has_made, tidy};
