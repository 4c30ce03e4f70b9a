//! A mail server of one kind of answer, that keeps what it is sent.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub struct Smtp {
    pub address: String,
    mails: Arc<Mutex<Vec<String>>>,
}

impl Smtp {
    /// `data` is the answer to a whole mail.
    pub async fn start(data: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let smtp = Self { address: listener.local_addr().unwrap().to_string(), mails: Arc::default() };
        let server = smtp.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().talk(stream, data));
            }
        });
        smtp
    }

    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    async fn talk(self, stream: TcpStream, data: &'static str) {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 test\r\n").await.unwrap();
        let (mut line, mut mail) = (String::new(), None);
        while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
            let text = line.trim_end_matches(['\r', '\n']).to_owned();
            line.clear();
            let answer = match &mut mail {
                Some(_) if text == "." => {
                    self.mails.lock().unwrap().push(mail.take().unwrap());
                    data
                }
                Some(body) => {
                    *body += &text;
                    *body += "\n";
                    continue;
                }
                None if text.starts_with("DATA") => {
                    mail = Some(String::new());
                    "354 go on"
                }
                None if text.starts_with("QUIT") => "221 bye",
                None => "250 ok",
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        }
    }
}
