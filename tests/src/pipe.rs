//! The pipe between a server that tests start as a process and its starter.

use std::io::Read;

use tokio::sync::oneshot;

/// Is told when standard input closes; what comes through it says nothing.
pub fn end_of_input() -> oneshot::Receiver<()> {
    let (closed, is_closed) = oneshot::channel();
    // A thread of its own, because a read of standard input can be waited for but not given up.
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while std::io::stdin().read(&mut buffer).is_ok_and(|count| count > 0) {}
        let _ = closed.send(());
    });
    is_closed
}
