//! nginx, as a site that knows nothing of us: files, and its own Basic auth on one path.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::{Process, free_port, until};

/// The user and password of `/private/`, as `Authorization` carries them.
const BASIC: &str = "Basic YWxpY2U6c2VjcmV0";

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    /// Where it listens.
    pub url: String,
    folder: TempDir,
    process: Process,
}

impl Nginx {
    /// `Authorization` for `/private/`.
    pub const BASIC: &'static str = BASIC;

    /// Starts one that serves `/`, `/agents/` and, behind Basic auth, `/private/`.
    #[must_use]
    pub fn start() -> Self {
        Self::serving(site)
    }

    /// Starts one that speaks TLS, and HTTP/2 where it is asked for, and answers with what is spoken.
    #[must_use]
    pub fn with_tls(certificate: &Path, key: &Path) -> Self {
        let (certificate, key) = (certificate.display(), key.display());
        let mut nginx = Self::serving(|_, port| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key}; \
                 return 200 $server_protocol; }}"
            )
        });
        nginx.url = nginx.url.replacen("http:", "https:", 1);
        nginx
    }

    /// Starts one with other `server` blocks, given the folder for its files and the port it is to listen on.
    #[must_use]
    pub fn serving(servers: impl FnOnce(&Path, u16) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        for (path, text) in [
            ("site/index.html", "<h1>front page</h1>\n"),
            ("site/agents/list.txt", "for agents\n"),
            ("site/private/note.txt", "for alice\n"),
            // alice:secret
            ("passwords", "alice:{PLAIN}secret\n"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let port = free_port();
        fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), &servers(folder.path(), port)))
            .unwrap();
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter().find(|path| Path::new(path).exists());
        let mut command = Command::new(program.unwrap_or("nginx"));
        command.arg("-p").arg(folder.path()).arg("-c").arg(folder.path().join("nginx.conf"));
        command.args(["-e", "stderr"]);
        let mut process = Process::start("nginx", command);
        until("nginx listens", || {
            assert!(process.runs(), "nginx does not start:\n{}", process.said());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { url: format!("http://127.0.0.1:{port}"), folder, process }
    }

    /// What it wrote to its access log: method, target, status, `Authorization`, `Lime-Agent-Id`, `Lime-Agent-Trust` and
    /// `Host` of each request. A line is written after its answer.
    #[must_use]
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }

    /// Waits until `text` has been seen so many times.
    #[track_caller]
    pub fn has_seen(&self, text: &str, times: usize) {
        until(text, || self.access_log().matches(text).count() == times);
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker is a process of its own: a killed master would leave it behind.
        if self.process.runs() {
            self.process.terminate();
            self.process.ended();
        }
    }
}

fn configuration(folder: &Path, servers: &str) -> String {
    let folder = folder.display();
    format!(
        r#"
daemon off;
pid {folder}/nginx.pid;
{user}
events {{ worker_connections 256; }}
http {{
  log_format seen '$request_method $request_uri $status "$http_authorization" "$http_lime_agent_id" '
                  '"$http_lime_agent_trust" "$http_host"';
  access_log {folder}/access.log seen;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  types {{ text/html html; text/plain txt; }}
{servers}
}}
"#,
        // Workers of a root nginx would be another user, who cannot look into this folder.
        user = if is_root() { "user root;" } else { "" }
    )
}

/// Files, some of them behind Basic auth.
fn site(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        r#"
  server {{
    listen 127.0.0.1:{port};
    root {folder}/site;
    location /private/ {{
      auth_basic "the site's own";
      auth_basic_user_file {folder}/passwords;
    }}
  }}"#
    )
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}
