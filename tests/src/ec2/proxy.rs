//! Between a driver and moto: counts calls, does what EC2 does and moto does not (tokens, trials, consoles, lag, names of
//! load balancers that are taken), and goes wrong where a test says so.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::faults::{Fault, Faults, Rule};
use super::http::{self, Message};
use super::moto::{self, Api};
use super::tokens::{Token, Tokens};
use super::xml;

/// A proxy that ends with this value.
pub struct Proxy {
    address: SocketAddr,
    world: Arc<World>,
    task: JoinHandle<()>,
}

/// What the proxy knows.
#[derive(Default)]
struct World {
    moto: String,
    faults: Faults,
    tokens: Tokens,
    state: Mutex<ProxyState>,
}

#[derive(Default)]
struct ProxyState {
    calls: BTreeMap<String, u32>,
    /// For how long what was made is not listed and not found.
    lag: Duration,
    made: HashMap<String, Instant>,
    changes: Vec<Instant>,
    /// The last true answer to each question, and when it was given.
    answers: HashMap<String, (Instant, Message)>,
    consoles: HashMap<String, String>,
    public_keys: HashMap<String, String>,
    /// By name: the call that made a load balancer, and its answer.
    balancers: HashMap<String, (String, Message)>,
}

/// Changes that moto makes although they are only tried.
const UNTRIED: [&str; 3] = ["CreateVpc", "CreateSubnet", "AuthorizeSecurityGroupIngress"];

impl Proxy {
    /// Starts one in front of moto.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(moto: &moto::Moto) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr().context("no free port")?;
        let world = Arc::new(World { moto: moto.address(), ..World::default() });
        let shared = Arc::clone(&world);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A connection that breaks is the caller's to notice.
                    let _ = serve(stream, &world).await;
                });
            }
        });
        Ok(Self { address, world, task })
    }

    /// Where a driver finds EC2.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets something go wrong.
    pub fn fault(&self, rule: Rule) {
        self.world.faults.add(rule);
    }

    /// Lets nothing more go wrong.
    pub fn heal(&self) {
        self.world.faults.clear();
        self.world.lock().lag = Duration::ZERO;
    }

    /// For how long what was made is not listed and not found.
    pub fn set_lag(&self, lag: Duration) {
        self.world.lock().lag = lag;
    }

    /// What an instance's console shows.
    pub fn set_console(&self, instance: &str, text: &str) {
        self.world.lock().consoles.insert(instance.to_owned(), text.to_owned());
    }

    /// The public key that was imported under this name.
    pub fn public_key(&self, name: &str) -> Option<String> {
        self.world.lock().public_keys.get(name).cloned()
    }

    /// How often each call came, since the start or the last time that this was asked.
    pub fn take_calls(&self) -> BTreeMap<String, u32> {
        std::mem::take(&mut self.world.lock().calls)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, world: &World) -> Result<()> {
    let request = http::read(&mut stream).await?;
    let body = request.text();
    let parameters = http::parameters(&body);
    let value = |name: &str| parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
    let action = value("Action").unwrap_or_default();
    *world.lock().calls.entry(action.clone()).or_default() += 1;

    let fault = world.faults.of(&action, &body);
    match &fault {
        Some(Fault::LostRequest) => return Ok(()),
        Some(Fault::Refused(status, code, message)) => {
            stream.write_all(&refusal(&body, *status, code, message).bytes()).await?;
            return Ok(());
        }
        Some(Fault::LostAnswer | Fault::CutAnswer | Fault::Late(_) | Fault::DoneWithTrouble) | None => {}
    }
    let answer = world.answer(&action, &body, &parameters, &request).await?;
    let bytes = answer.bytes();
    match fault {
        Some(Fault::LostAnswer) => {}
        Some(Fault::CutAnswer) => stream.write_all(&bytes[..bytes.len() / 2]).await?,
        Some(Fault::DoneWithTrouble) => {
            let (code, message) = ("InternalError", "An internal error has occurred");
            stream.write_all(&refusal(&body, 500, code, message).bytes()).await?;
        }
        Some(Fault::Late(time)) => {
            tokio::time::sleep(time).await;
            stream.write_all(&bytes).await?;
        }
        Some(Fault::LostRequest | Fault::Refused(..)) | None => stream.write_all(&bytes).await?,
    }
    Ok(())
}

impl World {
    /// What EC2 would answer.
    async fn answer(
        &self,
        action: &str,
        body: &str,
        parameters: &[(String, String)],
        request: &Message,
    ) -> Result<Message> {
        let value = |name: &str| parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        if value("DryRun") == Some("true") && UNTRIED.contains(&action) {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Ok(Message::refusal(412, "DryRunOperation", message));
        }
        if action == "GetConsoleOutput" {
            let instance = value("InstanceId").unwrap_or_default();
            return Ok(console(instance, self.lock().consoles.get(instance)));
        }
        if let Some((id, code)) = self.not_found_yet(parameters) {
            return Ok(refusal(body, 400, code, &format!("The ID '{id}' does not exist")));
        }
        if action.starts_with("Describe") {
            return self.describe(body, request).await;
        }
        if action == "CreateLoadBalancer" {
            return self.create_balancer(value("Name").unwrap_or_default(), body, parameters, request).await;
        }
        let token = value("ClientToken").filter(|_| value("DryRun") != Some("true"));
        let Some(token) = token.filter(|_| action == "RunInstances") else {
            return self.change(action, parameters, request).await.map(|(answer, _)| answer);
        };
        match self.tokens.look(token, body) {
            Token::Other => {
                let message = "Client token already used with different parameters";
                Ok(Message::refusal(400, "IdempotentParameterMismatch", message))
            }
            Token::Same(answer, made) => {
                if self.has_ended(&made).await? {
                    let message = "The instance that was started with this token has been terminated";
                    return Ok(Message::refusal(400, "IdempotentInstanceTerminated", message));
                }
                Ok(answer)
            }
            Token::New => {
                let (answer, made) = self.change(action, parameters, request).await?;
                if answer.status() == Some(200) {
                    self.tokens.keep(token, body, &answer, made);
                }
                Ok(answer)
            }
        }
    }

    /// The same call makes a balancer once, and another one of the same name is refused (API reference, "CreateLoadBalancer").
    async fn create_balancer(
        &self,
        name: &str,
        body: &str,
        parameters: &[(String, String)],
        request: &Message,
    ) -> Result<Message> {
        let asked = [("Action", "DescribeLoadBalancers"), ("Names.member.1", name)];
        if moto::call_of(&self.moto, Api::Balancers, &asked).await.is_err() {
            let (answer, _) = self.change("CreateLoadBalancer", parameters, request).await?;
            self.lock().balancers.insert(name.to_owned(), (body.to_owned(), answer.clone()));
            return Ok(answer);
        }
        if let Some((_, answer)) = self.lock().balancers.get(name).filter(|(earlier, _)| earlier == body) {
            return Ok(answer.clone());
        }
        let message = format!("A load balancer with the same name '{name}' exists, but with different settings");
        Ok(refusal(body, 400, "DuplicateLoadBalancerName", &message))
    }

    async fn change(
        &self,
        action: &str,
        parameters: &[(String, String)],
        request: &Message,
    ) -> Result<(Message, Vec<String>)> {
        let answer = http::ask(&self.moto, request).await?;
        let made: Vec<String> = xml::ids(&answer.text());
        let mut state = self.lock();
        state.changes.push(Instant::now());
        if answer.status() == Some(200) && ["Create", "Run", "Import"].iter().any(|word| action.starts_with(word)) {
            for id in &made {
                state.made.entry(id.clone()).or_insert_with(Instant::now);
            }
        }
        if action == "ImportKeyPair" {
            let value = |name: &str| parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
            if let (Some(name), Some(key)) = (value("KeyName"), value("PublicKeyMaterial")) {
                state.public_keys.insert(name, key);
            }
        }
        Ok((answer, made))
    }

    /// A question may be answered as things were up to the lag ago, if it was asked then.
    async fn describe(&self, body: &str, request: &Message) -> Result<Message> {
        if let Some(stale) = self.lock().stale_answer(body) {
            return Ok(stale);
        }
        let asked = Instant::now();
        let answer = http::ask(&self.moto, request).await?;
        self.lock().answers.insert(body.to_owned(), (asked, answer.clone()));
        Ok(answer)
    }

    /// What a call names and EC2 would not know yet.
    fn not_found_yet(&self, parameters: &[(String, String)]) -> Option<(String, &'static str)> {
        let state = self.lock();
        parameters.iter().find_map(|(name, value)| {
            let young = state.made.get(value).is_some_and(|at| at.elapsed() < state.lag);
            // Tags and filters name ids without saying that they must be there.
            if !young || name.starts_with("Filter") {
                return None;
            }
            Some((value.clone(), not_found_code(value)))
        })
    }

    async fn has_ended(&self, ids: &[String]) -> Result<bool> {
        let Some(instance) = ids.iter().find(|id| id.starts_with("i-")) else { return Ok(false) };
        let answer = moto::call(&self.moto, &[("Action", "DescribeInstances"), ("InstanceId.1", instance)]).await?;
        let state = xml::text(&answer, "instanceState").and_then(|state| xml::text(state, "name"));
        Ok(state == Some("terminated"))
    }

    fn lock(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProxyState {
    /// An earlier answer, if all that has changed since then is younger than the lag.
    fn stale_answer(&self, body: &str) -> Option<Message> {
        let (asked, answer) = self.answers.get(body)?;
        let mut since = self.changes.iter().filter(|change| *change >= asked).peekable();
        since.peek()?;
        since.all(|change| change.elapsed() < self.lag).then(|| answer.clone())
    }
}

/// A refusal as the API writes it that the call is for.
fn refusal(body: &str, status: u16, code: &str, message: &str) -> Message {
    if body.contains(&format!("Version={}", Api::Balancers.version())) {
        return Message::refusal_of_balancers(status, code, message);
    }
    Message::refusal(status, code, message)
}

fn not_found_code(id: &str) -> &'static str {
    if xml::is_balancers(id) {
        return match id {
            _ if id.contains(":targetgroup/") => "TargetGroupNotFound",
            _ if id.contains(":listener/") => "ListenerNotFound",
            _ => "LoadBalancerNotFound",
        };
    }
    match id.rsplit_once('-').map_or("", |(kind, _)| kind) {
        "i" => "InvalidInstanceID.NotFound",
        "vpc" => "InvalidVpcID.NotFound",
        "subnet" => "InvalidSubnetID.NotFound",
        "sg" => "InvalidGroup.NotFound",
        "igw" => "InvalidInternetGatewayID.NotFound",
        "key" => "InvalidKeyPair.NotFound",
        _ => "InvalidID.NotFound",
    }
}

fn console(instance: &str, text: Option<&String>) -> Message {
    use base64::Engine as _;
    let output = text.map(|text| base64::engine::general_purpose::STANDARD.encode(text)).unwrap_or_default();
    Message::answer(
        200,
        format!(
            "<GetConsoleOutputResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>console</requestId>\
             <instanceId>{instance}</instanceId><timestamp>2026-01-01T00:00:00.000Z</timestamp><output>{output}</output>\
             </GetConsoleOutputResponse>"
        ),
    )
}
