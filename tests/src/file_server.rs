//! A folder over HTTP: what stands for `https://pkgs.k8s.io` on a host that does not reach it.

use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::registry::{LOGIN_HEADER, Visitors};

/// A server of files, on a thread of its own so that a caller may block. It ends with this value.
pub struct FileServer {
    port: u16,
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl FileServer {
    /// Serves `folder` to these visitors on all addresses at a port: a free one for 0.
    ///
    /// # Errors
    /// If the port is taken or no thread can be started.
    pub fn start(folder: &Path, port: u16, visitors: Visitors) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("cannot serve {}", folder.display()))?;
        let address = SocketAddr::from(([0, 0, 0, 0], port));
        let listener = std::net::TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        listener.set_nonblocking(true).context("cannot listen without blocking")?;
        let port = listener.local_addr().context("cannot tell the port")?.port();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start a runtime for the file server")?;
        let end = CancellationToken::new();
        let ended = end.clone();
        let thread = std::thread::Builder::new()
            .name("file-server".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = ended.cancelled() => {}
                        () = accept(listener, folder, visitors) => {}
                    }
                });
            })
            .context("cannot start a thread for the file server")?;
        Ok(Self { port, end, thread: Some(thread) })
    }

    /// Its port, on every address of this host.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say; a panic of its has been printed.
            let _ended = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, folder: PathBuf, visitors: Visitors) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        // A connection that could not be accepted is its client's to try again.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, folder.clone(), visitors));
        }
    }
}

async fn serve(stream: TcpStream, folder: PathBuf, visitors: Visitors) {
    let service = service_fn(move |request| {
        let folder = folder.clone();
        async move { Ok::<_, io::Error>(answer(&request, &folder, visitors).await) }
    });
    // A client that goes away in the middle is no fault of the server's.
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: &Request<Incoming>, folder: &Path, visitors: Visitors) -> Response<Full<Bytes>> {
    let with = |status, body: Vec<u8>| {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return with(StatusCode::METHOD_NOT_ALLOWED, Vec::new());
    }
    let is_known = request.headers().get(header::AUTHORIZATION).is_some_and(|login| login == LOGIN_HEADER);
    if visitors == Visitors::WithLogin && !is_known {
        return with(StatusCode::UNAUTHORIZED, Vec::new());
    }
    let Some(path) = file_of(folder, request.uri().path()) else { return with(StatusCode::NOT_FOUND, Vec::new()) };
    // Whole into memory: the largest file is a package of 40 MB.
    match tokio::fs::read(&path).await {
        Ok(content) => with(StatusCode::OK, content),
        Err(_) => with(StatusCode::NOT_FOUND, Vec::new()),
    }
}

/// The file below `folder` that a URL's path names. apt writes `:` and `~` as they are or as `%3a` and `%7e`.
fn file_of(folder: &Path, path: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        };
        bytes.push(decoded);
    }
    let path = PathBuf::from(String::from_utf8(bytes).ok()?);
    let relative = path.strip_prefix("/").ok()?;
    let stays_inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    stays_inside.then(|| folder.join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::http;

    #[test]
    fn a_path_that_leaves_the_folder_names_no_file() {
        let folder = Path::new("/srv");
        assert_eq!(file_of(folder, "/core:/x%3a/deb/./a.deb"), Some(PathBuf::from("/srv/core:/x:/deb/./a.deb")));
        assert_eq!(file_of(folder, "/../etc/passwd"), None);
        assert_eq!(file_of(folder, "/%2e%2e/etc/passwd"), None);
        assert_eq!(file_of(folder, "//etc/passwd"), Some(PathBuf::from("/srv/etc/passwd")));
    }

    #[tokio::test]
    async fn files_are_served_until_the_value_goes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Release.key"), "key").unwrap();
        let server = FileServer::start(folder.path(), 0, Visitors::Anybody).unwrap();
        let address = format!("127.0.0.1:{}", server.port());
        assert_eq!(http::get(&address, "/Release.key").await.unwrap(), (200, "key".to_owned()));
        assert_eq!(http::get(&address, "/other").await.unwrap().0, 404);
        drop(server);
        assert!(TcpStream::connect(&address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn what_is_behind_a_login_is_served_to_those_who_have_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Release.key"), "key").unwrap();
        let server = FileServer::start(folder.path(), 0, Visitors::WithLogin).unwrap();
        let address = format!("127.0.0.1:{}", server.port());
        assert_eq!(http::get(&address, "/Release.key").await.unwrap().0, 401);
        let login = [("Authorization", LOGIN_HEADER)];
        assert_eq!(http::request(&address, "GET", "/Release.key", &login).await.unwrap().status, 200);
    }
}
