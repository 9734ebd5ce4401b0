//! Files: the store's own and those handed in or out.
//!
//! Owns every system call on a file. Nothing it writes can be seen half done: a file appears under
//! its name complete and durable, or not at all. It knows no formats and no secrets.

mod directory;
mod fault;
mod handed_in;
mod lock;
mod outbox;
mod terminal;

pub use directory::Directory;
pub use fault::StorageFault;
pub use handed_in::{read_descriptor, read_file, read_stream};
pub use lock::Lock;
pub use outbox::{
    Outbox, create_private_file, folder_above, holds_file, inside_git_work_tree, new_folder, remove_file,
    restrict_process,
};
pub use terminal::Terminal;
