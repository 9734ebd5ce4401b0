//! Files: the store's own and those handed in or out.
//!
//! Owns every system call on a file. Nothing it writes can be seen half done: a file appears under
//! its name complete and durable, or not at all; and what the system would write of the process
//! itself, to core files and swap space. It knows no formats and no secrets.

mod confinement;
mod directory;
mod fault;
mod handed_in;
mod held;
mod inventory;
mod lock;
mod outbox;
mod place;
mod process;
mod staged;
mod terminal;

pub use confinement::{Calls, Confined, Files, Reach, has_made, tidy};
pub use directory::Directory;
pub use fault::StorageFault;
pub use handed_in::{read_descriptor, read_file, read_stream};
pub use inventory::{Found, Kind, is_folder};
pub use lock::{Ending, Lock};
pub use outbox::{
    Outbox, create_private_file, folder_above, give_name, holds_file, inside_git_work_tree, is_there, is_vacant,
    lies_in, new_folder, remove_file,
};
pub use place::{Space, entries_of_others, holds_any, names_in, open_to_others, real_place, same_file_system, space};
pub use process::{Restrictions, keep_in_memory, lock_memory, restrict_process};
pub use terminal::{Terminal, restore_terminal_on_signals, stdout_is_closed};
