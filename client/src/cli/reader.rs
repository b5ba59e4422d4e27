//! Whether anybody still reads what is printed.

use std::io;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::oneshot;

/// Ends when the program behind the pipe has ended: after `muster events --follow | head -1` there may be no next
/// event for days, whose writing would tell. Never ends where output goes to a file.
pub async fn has_left() {
    let (tell, told) = oneshot::channel();
    // A thread, because tokio's own way of watching a descriptor that is not its own is unsafe. It ends with the program.
    let watch = thread::Builder::new().name("muster-reader".into()).spawn(move || {
        if output_is_closed().is_ok() {
            let _nobody_waits = tell.send(());
        }
    });
    if watch.is_err() || told.await.is_err() {
        std::future::pending().await
    }
}

/// Blocks until nobody can read what is written to standard output.
fn output_is_closed() -> rustix::io::Result<()> {
    let stdout = io::stdout();
    // Nothing is asked for: errors and hang-ups are reported always.
    let mut output = [PollFd::new(&stdout, PollFlags::empty())];
    loop {
        match poll(&mut output, None) {
            Err(rustix::io::Errno::INTR) => {}
            ended => return ended.map(drop),
        }
    }
}
