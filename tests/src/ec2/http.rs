//! HTTP/1.1 messages as they go by: one per connection, so that a connection can be cut at any place.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(60);
const LARGEST: usize = 16 << 20;

/// A request or an answer.
#[derive(Clone, Debug)]
pub struct Message {
    /// The first line.
    pub first: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What follows.
    pub body: Vec<u8>,
}

impl Message {
    /// A call of a query API.
    pub fn form(host: &str, authorization: &str, body: String) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            first: "POST / HTTP/1.1".to_owned(),
            headers: vec![
                header("Host", host),
                header("Content-Type", "application/x-www-form-urlencoded"),
                header("Authorization", authorization),
            ],
            body: body.into_bytes(),
        }
    }

    /// An answer of EC2's form.
    pub fn answer(status: u16, body: String) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/xml;charset=UTF-8".to_owned())];
        Self { first: format!("HTTP/1.1 {status} -"), headers, body: body.into_bytes() }
    }

    /// A refusal as EC2 writes it (API reference, "Error responses").
    pub fn refusal(status: u16, code: &str, message: &str) -> Self {
        let mut refusal = Self::answer(
            status,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}\
                 </Message></Error></Errors><RequestID>proxy-{code}</RequestID></Response>"
            ),
        );
        refusal.headers.push(("x-amzn-RequestId".to_owned(), format!("proxy-{code}")));
        refusal
    }

    /// A refusal as the API of load balancers writes it (API reference, "Common errors").
    pub fn refusal_of_balancers(status: u16, code: &str, message: &str) -> Self {
        let mut refusal = Self::answer(
            status,
            format!(
                "<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>{message}</Message></Error><RequestId>proxy-{code}</RequestId></ErrorResponse>"
            ),
        );
        refusal.headers.push(("x-amzn-RequestId".to_owned(), format!("proxy-{code}")));
        refusal
    }

    /// The status code of an answer.
    pub fn status(&self) -> Option<u16> {
        self.first.split(' ').nth(1)?.parse().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// As it goes over the line, with the end of the connection as its end.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            let framing = ["connection", "content-length", "transfer-encoding"];
            if !framing.contains(&name.to_ascii_lowercase().as_str()) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        text.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", self.body.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Sends a request to a server and reads its answer.
///
/// # Errors
/// If there is none.
pub async fn ask(address: &str, request: &Message) -> Result<Message> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&request.bytes()).await?;
        read(&mut stream).await
    };
    let place = || format!("no answer from {address}");
    tokio::time::timeout(LIMIT, exchange).await.with_context(place)?.with_context(place)
}

/// Reads one message with a body of a known length, or up to the end of the connection.
///
/// # Errors
/// If the connection ends before, or it is no message.
pub async fn read(stream: &mut TcpStream) -> Result<Message> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        more(stream, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.lines();
    let first = lines.next().context("an empty message")?.to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut message = Message { first, headers, body: bytes.split_off(head_end + 4) };
    let length = message.header("content-length").and_then(|length| length.parse::<usize>().ok());
    while message.body.len() < length.unwrap_or(LARGEST) {
        let read = more(stream, &mut message.body).await;
        if read.is_err() && length.is_none() {
            break;
        }
        read?;
    }
    Ok(message)
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    let mut buffer = [0; 16 << 10];
    let read = stream.read(&mut buffer).await?;
    anyhow::ensure!(read > 0, "the connection ended in the middle of a message");
    anyhow::ensure!(bytes.len() + read <= LARGEST, "a message that is too long");
    bytes.extend_from_slice(&buffer[..read]);
    Ok(())
}

/// As a form has it.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The parameters of a form.
pub fn parameters(body: &str) -> Vec<(String, String)> {
    let pairs = body.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (_, _) => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_back() {
        let body = format!("Action=x&{}={}", encoded("Tag.1"), encoded("a b/ä&="));
        let expected = [("Action", "x"), ("Tag.1", "a b/ä&=")];
        assert_eq!(parameters(&body), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
