//! A page served over HTTP/1.1 with news about it as server-sent events. It answers GET and HEAD of
//! two addresses and nothing else, and takes nothing from whoever asks but the address.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Result};

/// Longest request line with its headers, bytes.
const HEAD_BYTES_MAX: u64 = 16 << 10;
/// Connections at one time; more are turned away.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to ask or to read.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the site is looked at for news.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A comment after so long without news shows whether the client is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What is served.
pub trait Site: Send + Sync {
    /// The page as of now.
    ///
    /// # Errors
    /// It cannot be made; the client is told why.
    fn page(&self) -> Result<String>;

    /// The Content-Security-Policy that goes with it.
    fn policy(&self) -> String;

    /// The named pieces of news as of now; one that differs from the last look is sent.
    fn look(&self) -> Vec<(&'static str, String)>;
}

/// Listens; nothing is answered before [`Server::run`].
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address is one that other machines can reach and `may_be_remote` is not set, or it
    /// cannot be listened on.
    pub fn bind(address: SocketAddr, may_be_remote: bool) -> Result<Self> {
        if !address.ip().is_loopback() && !may_be_remote {
            return Err(Error::usage(format!(
                "{address} can be reached from other machines, and the page shows sources"
            ))
            .hint("serve on 127.0.0.1 and forward the port with ssh, or add --remote"));
        }
        let listener =
            TcpListener::bind(address).context(|| format!("cannot listen on {address}"))?;
        let address = listener
            .local_addr()
            .context(|| format!("cannot listen on {address}"))?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers until the process ends.
    pub fn run(&self, site: Arc<dyn Site>) -> ! {
        let open = Arc::new(AtomicUsize::new(0));
        loop {
            let Ok((stream, _)) = self.listener.accept() else {
                // Out of descriptors, or the client left at once: neither is cured by haste.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            let place = Place::take(&open);
            let site = Arc::clone(&site);
            let answered = std::thread::Builder::new().spawn(move || {
                // A client that leaves is no failure of ours.
                answer(stream, &*site, place.as_ref()).ok();
            });
            drop(answered);
        }
    }
}

/// One of the connections allowed; given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::Relaxed) < CONNECTIONS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn answer(mut stream: TcpStream, site: &dyn Site, place: Option<&Place>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = read_head(&stream)?;
    let what = match (place, parse(&head)) {
        (None, _) => Err("503 Service Unavailable"),
        (Some(_), parsed) => parsed,
    };
    let (method, path) = match what {
        Ok(request) => request,
        Err(status) => return respond(&mut stream, status, "text/plain", "", "", true),
    };
    let has_body = method == Method::Get;
    match path {
        "/" => match site.page() {
            Ok(page) => respond(
                &mut stream,
                "200 OK",
                "text/html",
                &site.policy(),
                &page,
                has_body,
            ),
            Err(error) => {
                let text = error.render();
                respond(
                    &mut stream,
                    "500 Internal Server Error",
                    "text/plain",
                    "",
                    &text,
                    has_body,
                )
            }
        },
        "/events" if has_body => events(&mut stream, site),
        _ => respond(&mut stream, "404 Not Found", "text/plain", "", "", has_body),
    }
}

/// The request line and the headers, as far as they come within the limits.
fn read_head(stream: &TcpStream) -> io::Result<Vec<String>> {
    let mut reader = BufReader::new(stream.take(HEAD_BYTES_MAX));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return Ok(lines);
        }
        lines.push(line.to_owned());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Head,
}

/// Method and path, or the status that refuses the request.
fn parse(head: &[String]) -> std::result::Result<(Method, &str), &'static str> {
    const BAD: &str = "400 Bad Request";
    let mut words = head.first().ok_or(BAD)?.split(' ');
    let (method, path, version) = (words.next(), words.next(), words.next());
    if !version.is_some_and(|version| version.starts_with("HTTP/1.")) || words.next().is_some() {
        return Err(BAD);
    }
    let host = head.iter().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    if !host.is_some_and(is_own_host) {
        return Err("421 Misdirected Request");
    }
    let method = match method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => return Err("405 Method Not Allowed"),
    };
    Ok((method, path.ok_or(BAD)?))
}

/// Whether a Host header names this machine by number or as `localhost`. A page of another site that
/// has its own name resolve to this address (DNS rebinding) sends that name.
fn is_own_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.ends_with(':') => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost") || bare.unwrap_or(name).parse::<IpAddr>().is_ok()
}

fn respond(
    stream: &mut TcpStream,
    status: &str,
    kind: &str,
    policy: &str,
    body: &str,
    has_body: bool,
) -> io::Result<()> {
    let body = if body.is_empty() { status } else { body };
    let policy = if policy.is_empty() {
        "default-src 'none'"
    } else {
        policy
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: {policy}; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    if has_body {
        stream.write_all(body.as_bytes())?;
    }
    stream.flush()
}

/// Sends everything once, since the page may have missed something, and then what is new, until the
/// client leaves.
fn events(stream: &mut TcpStream, site: &dyn Site) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
          X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\nretry: 2000\n\n",
    )?;
    let mut seen: Vec<(&str, String)> = Vec::new();
    let mut last_sent = Instant::now();
    loop {
        let now = site.look();
        let mut text = String::new();
        for (name, value) in now.iter().filter(|piece| !seen.contains(piece)) {
            text.push_str(&format!("event: {name}\ndata: {value}\n\n"));
        }
        seen = now;
        if text.is_empty() && last_sent.elapsed() >= HEARTBEAT {
            text.push_str(": still here\n\n");
        }
        if !text.is_empty() {
            stream.write_all(text.as_bytes())?;
            stream.flush()?;
            last_sent = Instant::now();
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_ours_by_number_or_as_localhost_and_by_no_other_name() {
        for ours in [
            "127.0.0.1:8000",
            "127.0.0.1",
            "[::1]:80",
            "[::1]",
            "localhost",
            "LOCALHOST:1",
            "192.168.1.7:8000",
        ] {
            assert!(is_own_host(ours), "{ours}");
        }
        for other in [
            "",
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "[::1",
            "127.0.0.1:8000:9",
        ] {
            assert!(!is_own_host(other), "{other}");
        }
    }

    fn parsed(text: &str) -> std::result::Result<(Method, String), &'static str> {
        let head: Vec<String> = text.lines().map(str::to_owned).collect();
        parse(&head).map(|(method, path)| (method, path.to_owned()))
    }

    #[test]
    fn only_get_and_head_with_a_host_of_ours_are_answered() {
        assert_eq!(
            parsed("GET / HTTP/1.1\nHost: localhost:1"),
            Ok((Method::Get, "/".to_owned()))
        );
        assert_eq!(
            parsed("HEAD / HTTP/1.1\nhOsT:  [::1]:1 "),
            Ok((Method::Head, "/".to_owned()))
        );
        for (request, status) in [
            ("", "400"),
            ("GET /", "400"),
            ("GET / HTTP/1.1 x\nHost: localhost", "400"),
            ("GET / HTTP/2\nHost: localhost", "400"),
            ("GET / HTTP/1.1", "421"),
            ("GET / HTTP/1.1\nHost: evil.example:8000", "421"),
            ("POST / HTTP/1.1\nHost: localhost", "405"),
        ] {
            let refused = parsed(request).expect_err(request);
            assert!(refused.starts_with(status), "{request:?}: {refused}");
        }
    }

    #[test]
    fn an_address_that_others_can_reach_has_to_be_asked_for() {
        let address = "0.0.0.0:0".parse().expect("an address");
        let Err(error) = Server::bind(address, false) else {
            panic!("it listens to everyone");
        };
        assert!(error.render().contains("--remote"), "{}", error.render());
        let local = "127.0.0.1:0".parse().expect("an address");
        let server = Server::bind(local, false).expect("loopback is free");
        assert!(!server.url().ends_with(":0/"), "{}", server.url());
    }
}
