use std::sync::mpsc;

use filters::DecisionWord;

use super::*;

/// Takes what is written; with a gate, only when it is opened.
struct Sink {
    lines: Arc<Mutex<Vec<u8>>>,
    gate: Option<mpsc::Receiver<()>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(gate) = &self.gate {
            gate.recv().unwrap_or_default();
        }
        self.lines.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn decision() -> Decision {
    Decision { word: DecisionWord::Allow, ..Decision::undecided() }
}

fn record<'a>(path: &'a [u8], decision: &'a Decision) -> Record<'a> {
    Record {
        at: Timestamp::from(passport::UnixTime::from_secs(0)),
        request_id: "01JD",
        site: None,
        method: Some(&Method::GET),
        path,
        status: Some(200),
        took: Duration::from_micros(1_234_567),
        body_bytes: 5,
        client: Some(IpAddr::from([127, 0, 0, 1])),
        user_agent: b"",
        decision,
        forwarded: false,
        note: None,
    }
}

#[test]
fn a_line_is_one_json_object() {
    let lines = Arc::new(Mutex::default());
    let dropped = IntCounter::new("dropped", "lines").unwrap();
    let (log, writer) = AccessLog::start(Sink { lines: Arc::clone(&lines), gate: None }, dropped).unwrap();
    log.write(&record(b"/a\"b\\c\n\x7f\xffd\xc3\xa9", &decision()));
    log.close();
    writer.0.join().unwrap();
    let text = String::from_utf8(lines.lock().clone()).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!(line["path"], "/a\"b\\c\n\u{7f}\\xffdé");
    assert_eq!(line["ts"], "1970-01-01T00:00:00.000Z");
    assert_eq!(line["duration_ms"].to_string(), "1234.567");
    assert_eq!(line["status"], 200);
    assert_eq!(line["client_ip"], "127.0.0.1");
    assert_eq!(line["decision"], "allow");
    assert_eq!(line.as_object().unwrap().len(), text.matches("\":").count(), "no member stands twice");
}

#[test]
fn a_slow_reader_costs_lines_and_no_time() {
    let lines = Arc::new(Mutex::default());
    let dropped = IntCounter::new("dropped", "lines").unwrap();
    let (open, gate) = mpsc::channel();
    let (log, writer) =
        AccessLog::start(Sink { lines: Arc::clone(&lines), gate: Some(gate) }, dropped.clone()).unwrap();
    let decision = decision();
    let path = [b'x'; 1000];
    for _ in 0..20_000 {
        log.write(&record(&path, &decision));
    }
    assert!(dropped.get() > 0);
    drop(open);
    log.close();
    writer.0.join().unwrap();
    let written = lines.lock().iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(u64::try_from(written).unwrap() + dropped.get(), 20_000);
}
