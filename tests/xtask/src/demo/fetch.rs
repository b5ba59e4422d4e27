//! What a service says over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const LIMIT: Duration = Duration::from_secs(5);

/// The body that `GET /` gives at an address, such as `10.0.0.1:80`.
pub fn get(address: &str) -> Result<String> {
    let socket: SocketAddr = address.parse().with_context(|| format!("`{address}` is no address"))?;
    let cannot = || format!("cannot fetch http://{address}/");
    let mut stream = TcpStream::connect_timeout(&socket, LIMIT).with_context(cannot)?;
    stream.set_read_timeout(Some(LIMIT)).with_context(cannot)?;
    write!(stream, "GET / HTTP/1.0\r\nHost: {address}\r\n\r\n").with_context(cannot)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(cannot)?;
    body(&String::from_utf8_lossy(&answer)).with_context(cannot)
}

fn body(answer: &str) -> Result<String> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer breaks off")?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("the answer is `{status}`");
    }
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_with_status_200_has_a_body() {
        assert_eq!(body("HTTP/1.0 200 OK\r\nServer: x\r\n\r\nHello\n").unwrap(), "Hello\n");
        assert!(body("HTTP/1.0 404 Not Found\r\n\r\nno").unwrap_err().to_string().contains("404"));
        assert!(body("HTTP/1.0 200 OK\r\nServ").is_err());
    }
}
