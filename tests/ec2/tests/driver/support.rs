//! A small EC2, a driver, and a loop that does what the planner does: make, look up what is in doubt, make again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_driver_ec2::{Ec2Driver, Ec2Options, Habits};
use muster_engine::context::{ClusterContext, Material};
use muster_engine::desired::{Desired, role_and_number};
use muster_engine::driver::{Driver, InfraOrder, MachineOrder, Need, Needs};
use muster_engine::failure::{Certainty, Failure};
use muster_engine::ledger::{InfraKey, Present};
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::{ClusterId, InstanceId, SecretString};
use muster_tests::ec2::sshd::{Sshd, console_with};
use muster_tests::ec2::{Moto, Proxy, REGION, account, moto};
use muster_tests::skip;

/// Longer than any of these takes; whoever is not done by then hangs.
const LIMIT: Duration = Duration::from_secs(60);
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPs3Koo8tStpYmCrr43wkdIIhRk7EKun9kkrgCadoYMx demo";

/// What is known of what was made.
pub type Made = BTreeMap<InfraKey, Present>;

/// A small EC2.
pub struct World {
    pub moto: Arc<Moto>,
    pub proxy: Arc<Proxy>,
    pub sshd: Sshd,
    pub image: String,
}

impl World {
    /// Starts one; none, and a word about it, where moto is not installed.
    pub async fn start(test: &str) -> Option<Self> {
        if moto::program().is_none() {
            skip::note(test, "moto; run: cargo xtask setup");
            return None;
        }
        skip::stands_on_real_parts(test);
        let moto = Arc::new(Moto::start().await.unwrap());
        let proxy = Arc::new(Proxy::start(&moto).await.unwrap());
        let image = moto.register_image("debian-12-amd64-20260101-1").await.unwrap();
        Some(Self { moto, proxy, sshd: Sshd::start().await.unwrap(), image })
    }

    /// Somebody else's instance: named as ours are, but without the installation's mark.
    pub async fn start_somebodys_instance(&self) {
        let asked = [
            ("Action", "RunInstances"),
            ("ImageId", self.image.as_str()),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "io.muster.key"),
            ("TagSpecification.1.Tag.1.Value", "machine/worker-1"),
        ];
        self.moto.call(&asked).await.unwrap();
    }

    /// A new driver: what an earlier life knew, it does not.
    pub fn driver(&self) -> Ec2Driver {
        self.driver_with(&[])
    }

    /// A driver for a cloud that may not list what was made for so long.
    pub fn driver_with_lag(&self, listing_lag: Duration) -> Ec2Driver {
        let options = self.options(&[]);
        Ec2Driver::new(Ec2Options { habits: Habits { listing_lag, ..options.habits }, ..options })
    }

    /// A driver with the habits that it has in use, so many times as fast.
    pub fn driver_in_use(&self, faster: u32) -> Ec2Driver {
        let habits = Habits::default();
        let habits = Habits {
            listing_lag: habits.listing_lag / faster,
            boot_limit: habits.boot_limit / faster,
            termination_limit: habits.termination_limit / faster,
            poll: habits.poll / faster,
            listing_kept: habits.listing_kept / faster,
            reads_per_second: habits.reads_per_second * f64::from(faster),
            changes_per_second: habits.changes_per_second * f64::from(faster),
            ..habits
        };
        Ec2Driver::new(Ec2Options { habits, ..self.options(&[]) })
    }

    pub fn driver_with(&self, defaults: &[(&str, &str)]) -> Ec2Driver {
        Ec2Driver::new(self.options(defaults))
    }

    fn options(&self, defaults: &[(&str, &str)]) -> Ec2Options {
        let mut given: BTreeMap<String, String> = [
            ("region", REGION),
            ("allowedCidrs", "127.0.0.1/32"),
            // All its addresses are this host's own.
            ("vpcCidr", "127.77.0.0/24"),
            ("connect", "private"),
            ("imageId", &self.image),
            ("sshPort", &self.sshd.port().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        given.extend(defaults.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let credentials =
            ["accessKeyId", "secretAccessKey"].map(|name| (name.to_owned(), SecretString::new("tests"))).into();
        let options = Ec2Options::of_account(Some(self.proxy.endpoint()), &credentials, &given).unwrap();
        Ec2Options { habits: habits(), ..options }
    }

    /// Lets every instance's console say the host key that its SSH server shows.
    pub async fn write_consoles(&self) {
        for instance in account::instances(&self.moto).await.unwrap() {
            self.proxy.set_console(&instance.id, &console_with(self.sshd.public_key()));
        }
    }
}

/// As quick as moto.
fn habits() -> Habits {
    Habits {
        listing_lag: Duration::from_millis(400),
        boot_limit: Duration::from_secs(10),
        termination_limit: Duration::from_secs(5),
        poll: Duration::from_millis(40),
        listing_kept: Duration::from_millis(40),
        request_limit: Duration::from_secs(5),
        reads_per_second: 500.0,
        changes_per_second: 500.0,
    }
}

/// What a cluster says that wants a network load balancer.
pub const BALANCER: (&str, &str) = ("controlPlaneEndpoint", "network-load-balancer");

/// A Kubernetes of so many control planes behind a network load balancer, and so many workers.
pub fn kubernetes(number: u128, control_planes: u32, workers: u32) -> ClusterContext {
    let mut context = cluster(number, workers);
    context.spec.orchestrator = Orchestrator::Kubernetes;
    context.spec.control_planes = control_planes;
    context.spec.options = [(BALANCER.0.to_owned(), BALANCER.1.to_owned())].into();
    context
}

/// A cluster of one control plane and so many workers.
pub fn cluster(number: u128, workers: u32) -> ClusterContext {
    let spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Swarm, Infrastructure::Ec2);
    let spec = ClusterSpec { workers, ..spec };
    let material = Material([("ssh-public-key".to_owned(), SecretString::new(KEY))].into());
    ClusterContext { instance: InstanceId::from_u128(7), cluster: ClusterId::from_u128(number), spec, material }
}

pub fn needs(driver: &Ec2Driver, cluster: &ClusterContext) -> Vec<Need> {
    driver.needs(&Desired { generation: 1, spec: cluster.spec.clone(), absent: false })
}

/// Makes all that a cluster needs, as the planner would.
pub async fn make_all(world: &World, driver: &Ec2Driver, cluster: &ClusterContext) -> Made {
    let mut made = Made::new();
    for need in needs(driver, cluster) {
        let present = make(world, driver, cluster, &need.key, &made).await;
        made.insert(need.key, present);
    }
    made
}

/// Makes one resource: what is in doubt is looked up, and made again only when it is known not to be there.
pub async fn make(
    world: &World,
    driver: &Ec2Driver,
    cluster: &ClusterContext,
    key: &InfraKey,
    known: &Made,
) -> Present {
    let deadline = Instant::now() + LIMIT;
    let mut attempt = 0;
    let mut in_doubt_since = None;
    loop {
        assert!(Instant::now() < deadline, "{key} is not made in {LIMIT:?}");
        if let Some(since) = in_doubt_since {
            match driver.look_up(cluster, key).await {
                Ok(Some(present)) if key.machine().is_none() || is_reachable(&present) => return present,
                Ok(None) if Instant::now() - since > driver.listing_lag() => in_doubt_since = None,
                Ok(_) | Err(_) => pause().await,
            }
            world.write_consoles().await;
            continue;
        }
        let order = order(cluster, key, known, attempt);
        let consoles = async {
            // The machine boots while the driver waits for it.
            loop {
                world.write_consoles().await;
                pause().await;
            }
        };
        let answer = tokio::select! {
            answer = driver.create(cluster, &order) => answer,
            () = consoles => unreachable!(),
        };
        match answer {
            Ok(present) => return present,
            Err(failure) if failure.certainty == Certainty::MaybeApplied => in_doubt_since = Some(Instant::now()),
            Err(failure) => {
                assert_ne!(failure.retry, muster_protocol::Retry::Never, "{key}: {failure:?}");
                attempt += 1;
                pause().await;
            }
        }
    }
}

pub fn order(cluster: &ClusterContext, key: &InfraKey, known: &Made, attempt: u32) -> InfraOrder {
    let machine = key.machine().map(|name| MachineOrder {
        name: name.clone(),
        role: role_and_number(name).unwrap().0,
        shape: cluster.spec.machine.clone(),
    });
    InfraOrder { key: key.clone(), machine, present: None, known: known.clone(), attempt }
}

fn is_reachable(present: &Present) -> bool {
    matches!(present.facts, muster_engine::ledger::Facts::Machine(_))
}

/// Removes everything, what stands on others first.
pub async fn remove_all(driver: &Ec2Driver, cluster: &ClusterContext, made: &Made) {
    let keys: Vec<_> = needs(driver, cluster).into_iter().map(|need| need.key).collect();
    for key in keys.iter().rev().filter(|key| made.contains_key(*key)) {
        remove(driver, cluster, key, &made[key].id).await;
    }
}

/// Removes one resource, however often it takes.
pub async fn remove(driver: &Ec2Driver, cluster: &ClusterContext, key: &InfraKey, id: &str) {
    let deadline = Instant::now() + LIMIT;
    while let Err(failure) = driver.remove(cluster, key, id).await {
        assert!(Instant::now() < deadline, "{key} is not removed in {LIMIT:?}: {failure:?}");
        pause().await;
    }
}

/// A failure that must come.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Failure>) -> Failure {
    answer.expect_err("this should be refused")
}

pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}
