//! An origin that hides nothing: it keeps every byte that reached it, and answers with the head as it came.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it reached the origin, byte for byte.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// The request line, without its end.
    pub line: Vec<u8>,
    /// Every header line, without its end, in the order they came.
    pub fields: Vec<Vec<u8>>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// The lines between the last chunk and the end.
    pub trailers: Vec<Vec<u8>>,
    /// What had come behind the body when it ended; of a websocket, all that came through it.
    pub after: Vec<u8>,
}

impl Reached {
    /// What an echo's answer says of its request: the head alone.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        let line = lines.next().unwrap_or_default();
        Self { line, fields: lines.take_while(|line| !line.is_empty()).collect(), ..Self::default() }
    }

    /// The target in the request line, as it came.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.line.split(|byte| *byte == b' ').nth(1).unwrap_or_default()
    }

    /// The method in the request line.
    #[must_use]
    pub fn method(&self) -> String {
        text(self.line.split(|byte| *byte == b' ').next().unwrap_or_default())
    }

    /// Name and value of each header line whose name, in lower case and with `-` for `_`, is `wanted`.
    #[must_use]
    pub fn folded(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let fields = self.fields.iter().map(|field| {
            let colon = field.iter().position(|byte| *byte == b':').unwrap_or(field.len());
            let value = text(field.get(colon + 1..).unwrap_or_default().trim_ascii());
            (text(&field[..colon]).to_ascii_lowercase(), value)
        });
        fields.filter(|(name, _)| wanted(&name.replace('_', "-"))).collect()
    }

    /// Every value of the headers that a CGI program would take for this one, given in lower case.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<String> {
        self.folded(|found| found == name).into_iter().map(|(_, value)| value).collect()
    }

    /// The value of a header that comes once or not at all.
    #[track_caller]
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        let mut values = self.values(name);
        assert!(values.len() <= 1, "{name} comes {} times: {}", values.len(), text(&self.fields.join(&b'\n')));
        values.pop()
    }

    /// Everything that tells who asks, as `name: value`, sorted: what only the gateway may say.
    #[must_use]
    pub fn said_by_the_gateway(&self) -> Vec<String> {
        let ours = self.folded(|name| name.starts_with("lime-") || name.starts_with("x-lime-"));
        let mut ours: Vec<String> = ours.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        ours.sort();
        ours
    }

    fn holds(&self, bytes: &[u8]) -> bool {
        let parts = [&self.line, &self.body, &self.after].into_iter().chain(&self.fields).chain(&self.trailers);
        parts.into_iter().any(|part| part.windows(bytes.len()).any(|window| window == bytes))
    }
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |lines: &[Vec<u8>]| lines.iter().map(|line| text(line)).collect::<Vec<_>>();
        f.debug_struct("Reached")
            .field("line", &text(&self.line))
            .field("fields", &lines(&self.fields))
            .field("body", &text(&self.body))
            .field("trailers", &lines(&self.trailers))
            .field("after", &text(&self.after))
            .finish()
    }
}

/// The origin. It is gone with the process, not before: nothing waits for it.
#[derive(Debug)]
pub struct Echo {
    /// Where it listens.
    pub url: String,
    reached: Arc<Mutex<Vec<Reached>>>,
}

impl Echo {
    /// Starts one on a free port. A websocket is taken at paths that end in `/socket`, and echoed; everything else is
    /// answered 200 with its own head as the body.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let reached: Arc<Mutex<Vec<Reached>>> = Arc::default();
        let shared = Arc::clone(&reached);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A client that breaks off is no concern of the server's.
                thread::spawn(move || drop(serve(&stream, &shared)));
            }
        });
        Self { url, reached }
    }

    /// What reached it so far.
    #[must_use]
    pub fn reached(&self) -> Vec<Reached> {
        self.reached.lock().unwrap().clone()
    }

    /// How many requests reached it so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.reached.lock().unwrap().len()
    }

    /// What reached it last.
    #[track_caller]
    #[must_use]
    pub fn last(&self) -> Reached {
        self.reached.lock().unwrap().last().cloned().expect("a request reached the origin")
    }

    /// Whether these bytes reached it anywhere in a request.
    #[must_use]
    pub fn saw(&self, bytes: &str) -> bool {
        self.reached.lock().unwrap().iter().any(|reached| reached.holds(bytes.as_bytes()))
    }
}

fn serve(stream: &TcpStream, shared: &Mutex<Vec<Reached>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let (mut reached, head) = read_head(&mut reader)?;
        read_body(&mut reader, &mut reached)?;
        reached.after = reader.buffer().to_vec();
        let is_socket = reached.value("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
            && reached.target().ends_with(b"/socket");
        let is_head = reached.method() == "HEAD";
        let place = push(shared, reached);
        if is_socket {
            writer.write_all(b"HTTP/1.1 101 Said\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
            return through(reader, writer, shared, place);
        }
        let body = if is_head { &[][..] } else { &head };
        let answer = format!("HTTP/1.1 200 Said\r\nContent-Length: {}\r\n\r\n", head.len());
        writer.write_all(&[answer.as_bytes(), body].concat())?;
    }
}

fn push(shared: &Mutex<Vec<Reached>>, reached: Reached) -> usize {
    let mut all = shared.lock().unwrap();
    all.push(reached);
    all.len() - 1
}

fn read_head(reader: &mut BufReader<&TcpStream>) -> io::Result<(Reached, Vec<u8>)> {
    let mut head = read_line(reader)?;
    while !head.ends_with(b"\n\r\n") {
        head.extend(read_line(reader)?);
    }
    Ok((Reached::of(&head), head))
}

fn read_body(reader: &mut BufReader<&TcpStream>, reached: &mut Reached) -> io::Result<()> {
    if reached.value("transfer-encoding").is_some() {
        loop {
            let length = text(read_line(reader)?.trim_ascii());
            let length = usize::from_str_radix(&length, 16).map_err(io::Error::other)?;
            if length == 0 {
                break;
            }
            read_more(reader, &mut reached.body, length)?;
            read_line(reader)?;
        }
        loop {
            let line = read_line(reader)?;
            if line == b"\r\n" {
                return Ok(());
            }
            reached.trailers.push(line.trim_ascii_end().to_vec());
        }
    }
    let length = reached.value("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    read_more(reader, &mut reached.body, length)
}

fn read_more(reader: &mut BufReader<&TcpStream>, into: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let from = into.len();
    into.resize(from + length, 0);
    reader.read_exact(&mut into[from..])
}

/// A line with its end.
fn read_line(reader: &mut BufReader<&TcpStream>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    match reader.read_until(b'\n', &mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

/// Sends back what comes, and keeps it.
fn through(
    mut reader: BufReader<&TcpStream>,
    mut writer: &TcpStream,
    shared: &Mutex<Vec<Reached>>,
    place: usize,
) -> io::Result<()> {
    shared.lock().unwrap()[place].after.clear();
    loop {
        let came = reader.fill_buf()?.to_vec();
        if came.is_empty() {
            return Ok(());
        }
        reader.consume(came.len());
        shared.lock().unwrap()[place].after.extend_from_slice(&came);
        writer.write_all(&came)?;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
