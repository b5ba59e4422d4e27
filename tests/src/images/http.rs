//! As much HTTP as it takes to ask a server that a test started.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(20);

/// An answer.
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: String,
    /// The body, as text.
    pub body: String,
}

impl Answer {
    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }
}

/// GETs a path of the server at `address` (`host:port`): status and body.
///
/// # Errors
/// If the server does not answer within 20 seconds.
pub async fn get(address: &str, path: &str) -> Result<(u16, String)> {
    let answer = request(address, "GET", path, &[]).await?;
    Ok((answer.status, answer.body))
}

/// Any request without a body.
///
/// # Errors
/// If the server does not answer within 20 seconds.
pub async fn request(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        // HTTP/1.0, so that the end of the connection is the end of the answer.
        let mut text = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        stream.write_all(text.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let place = || format!("no answer from http://{address}{path}");
    let text = tokio::time::timeout(LIMIT, exchange).await.with_context(place)?.with_context(place)?;
    let (head, body) = text.split_once("\r\n\r\n").with_context(place)?;
    let (status_line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).with_context(place)?;
    Ok(Answer { status, headers: headers.to_owned(), body: body.to_owned() })
}
