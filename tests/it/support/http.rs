//! A small HTTP server on loopback whose answers a test scripts, and an S3 made of it.

use chrono::DateTime;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: String,
    /// The path without the query, still percent-encoded.
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Ask {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Say {
    Status(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A status with so many bytes announced, and fewer sent.
    Short(u16, Vec<(&'static str, String)>, Vec<u8>, usize),
    /// The connection is closed without an answer.
    Hang,
}

pub fn status(code: u16) -> Say {
    Say::Status(code, vec![], format!("<?xml version=\"1.0\"?><Error><Code>E{code}</Code><Message>scripted</Message></Error>").into_bytes())
}

/// A running server; it ends with the test's process.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Ask>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Ask) -> Say + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let _ = serve(stream, &seen, answer.as_ref());
                });
            }
        });
        Server { url, asked }
    }
    /// An address at which nobody listens.
    pub fn unreachable() -> Server {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Server { url: format!("http://{free}"), asked: Arc::default() }
    }
    /// All requests so far.
    pub fn asked(&self) -> Vec<Ask> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Ask>>, answer: &(dyn Fn(&Ask) -> Say + Send + Sync)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
                None => break,
            };
        }
        let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let ask = Ask { method, path: path.to_owned(), query: query.to_owned(), headers, body };
        seen.lock().unwrap().push(ask.clone());
        let (code, headers, body, length) = match answer(&ask) {
            Say::Hang => return Ok(()),
            Say::Status(code, headers, body) => {
                let length = body.len();
                (code, headers, body, length)
            }
            Say::Short(code, headers, body, length) => (code, headers, body, length),
        };
        let mut head = format!("HTTP/1.1 {code} Scripted\r\ncontent-length: {length}\r\n");
        for (name, value) in &headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        writer.write_all(head.as_bytes())?;
        if ask.method != "HEAD" {
            writer.write_all(&body)?;
        }
        writer.flush()?;
        if ask.method != "HEAD" && body.len() < length {
            return Ok(());
        }
    }
}

/// The objects of a scripted S3.
pub type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// An S3 that honours `If-None-Match`, except where `script` answers first. The script gets the request, how many like it (method and path)
/// came before, and the objects.
pub fn s3(script: impl Fn(&Ask, usize, &Objects) -> Option<Say> + Send + Sync + 'static) -> (Server, Objects) {
    let objects: Objects = Arc::default();
    let (inside, counts) = (Arc::clone(&objects), Mutex::new(BTreeMap::<String, usize>::new()));
    let server = Server::start(move |ask| {
        let before = {
            let mut counts = counts.lock().unwrap();
            let n = counts.entry(format!("{} {}", ask.method, ask.path)).or_default();
            *n += 1;
            *n - 1
        };
        script(ask, before, &inside).unwrap_or_else(|| plain_s3(ask, &inside))
    });
    (server, objects)
}

fn xml(text: String) -> Say {
    Say::Status(200, vec![("etag", "\"1\"".to_owned())], format!("<?xml version=\"1.0\"?>{text}").into_bytes())
}

/// Keys of uploads in parts that have neither been completed nor aborted.
pub fn unfinished(objects: &Objects) -> Vec<String> {
    objects.lock().unwrap().keys().filter_map(|k| k.strip_prefix('!')).filter(|k| !k.contains('#')).map(str::to_owned).collect()
}

/// What an S3 answers whose objects are all of one age.
pub fn plain_s3(ask: &Ask, objects: &Objects) -> Say {
    dated_s3(ask, objects, &|_| 1_795_219_200)
}

/// What an S3 answers; `born` gives the time of a path in seconds. An upload in parts is kept under `!key` and its parts under `!key#00001`;
/// there is one a key.
pub fn dated_s3(ask: &Ask, objects: &Objects, born: &dyn Fn(&str) -> i64) -> Say {
    let mut objects = objects.lock().unwrap();
    let (upload, query) = (format!("!{}", ask.path), ask.query.as_str());
    match ask.method.as_str() {
        "POST" if query.contains("delete") => {
            let body = String::from_utf8(ask.body.clone()).unwrap();
            let mut gone = String::new();
            for (key, _) in body.split("<Key>").skip(1).filter_map(|k| k.split_once("</Key>")) {
                objects.remove(&format!("{}/{key}", ask.path.trim_end_matches('/')));
                gone.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
            }
            return xml(format!("<DeleteResult>{gone}</DeleteResult>"));
        }
        "POST" if query.contains("uploads") => {
            objects.insert(upload, vec![]);
            return xml("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>".to_owned());
        }
        // As S3 does: a part that comes after its upload was aborted stays nowhere.
        "PUT" if query.contains("partNumber") && !objects.contains_key(&upload) => return status(404),
        "PUT" if query.contains("partNumber") => {
            let pairs: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            objects.insert(format!("{upload}#{:05}", pairs["partNumber"].parse::<u32>().unwrap()), ask.body.clone());
            return xml(String::new());
        }
        "POST" | "DELETE" if query.contains("uploadId") => {
            let parts: Vec<String> = objects.keys().filter(|k| k.starts_with(&format!("{upload}#"))).cloned().collect();
            let whole: Vec<u8> = parts.iter().filter_map(|k| objects.remove(k)).flatten().collect();
            if objects.remove(&upload).is_none() {
                return status(404);
            }
            if ask.method == "DELETE" {
                return Say::Status(204, vec![], vec![]);
            }
            objects.insert(ask.path.clone(), whole);
            return xml("<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>".to_owned());
        }
        _ => {}
    }
    let time = |path: &str, format: &str| DateTime::from_timestamp(born(path), 0).unwrap().format(format).to_string();
    let modified = time(&ask.path, "%a, %d %b %Y %H:%M:%S GMT");
    let etag = |body: &[u8]| vec![("etag", format!("\"{:x}\"", crc(body))), ("last-modified", modified.clone())];
    if let Some(source) = ask.headers.get("x-amz-copy-source") {
        let Some(body) = objects.get(&format!("/{}", source.trim_start_matches('/'))).cloned() else { return status(404) };
        objects.insert(ask.path.clone(), body);
        return xml("<CopyObjectResult><ETag>\"1\"</ETag></CopyObjectResult>".to_owned());
    }
    match ask.method.as_str() {
        "PUT" if ask.header("if-none-match") == "*" && objects.contains_key(&ask.path) => status(412),
        "PUT" => {
            objects.insert(ask.path.clone(), ask.body.clone());
            Say::Status(200, etag(&ask.body), vec![])
        }
        "GET" if ask.query.contains("list-type=2") => {
            let bucket = format!("/{}/", ask.path.trim_matches('/'));
            let pairs: BTreeMap<_, _> = url::form_urlencoded::parse(ask.query.as_bytes()).into_owned().collect();
            let (prefix, after) = (pairs.get("prefix").cloned().unwrap_or_default(), pairs.get("start-after").cloned().unwrap_or_default());
            let keys = objects.keys().filter_map(|k| k.strip_prefix(&bucket)).filter(|k| k.starts_with(&prefix) && **k > *after);
            let contents: String = keys
                .map(|k| {
                    let size = objects[&format!("{bucket}{k}")].len();
                    let time = time(&format!("{bucket}{k}"), "%Y-%m-%dT%H:%M:%SZ");
                    format!("<Contents><Key>{k}</Key><LastModified>{time}</LastModified><ETag>\"1\"</ETag><Size>{size}</Size></Contents>")
                })
                .collect();
            Say::Status(
                200,
                vec![],
                format!("<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>")
                    .into_bytes(),
            )
        }
        "GET" | "HEAD" => match objects.get(&ask.path) {
            None => status(404),
            Some(body) if !matches!(ask.header("if-match"), "" | "*") && etag(body)[0].1 != ask.header("if-match") => status(412),
            Some(body) => match ask.header("range").strip_prefix("bytes=").and_then(|r| r.split_once('-')) {
                Some((start, end)) => {
                    let start: usize = start.parse().unwrap();
                    let end: usize = end.parse::<usize>().map_or(body.len(), |e| (e + 1).min(body.len()));
                    let mut headers = etag(body);
                    headers.push(("content-range", format!("bytes {start}-{}/{}", end - 1, body.len())));
                    Say::Status(206, headers, body[start..end].to_vec())
                }
                None => Say::Status(200, etag(body), body.clone()),
            },
        },
        "DELETE" => {
            objects.remove(&ask.path);
            Say::Status(204, vec![], vec![])
        }
        _ => status(400),
    }
}

fn crc(body: &[u8]) -> u32 {
    crc32fast::hash(body)
}
