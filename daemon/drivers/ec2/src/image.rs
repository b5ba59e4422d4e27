//! Which image and which type machines are made of.

use std::time::Duration;

use aws_sdk_ec2::types::{ArchitectureType, Image};
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;
use muster_protocol::model::cluster::MachineShape;
use muster_protocol::quantity::{Bytes, CpuMillis};
use tokio::time::Instant;

use crate::Ec2Driver;
use crate::mark::filter;
use crate::options::invalid;
use crate::settings::Settings;

/// How long a choice holds: the machines of one cluster should be alike, and images come out about once a week.
const KEPT: Duration = Duration::from_secs(600);

/// What is needed of an image to start a machine from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ChosenImage {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    /// The name of the device that the root volume is attached as.
    pub(crate) root_device: String,
    /// The least size of the root volume.
    pub(crate) root_gib: i32,
}

/// Processors, memory and name of the types that are chosen from when a shape says what a machine should have.
const TYPES: [(u64, u64, &str); 7] = [
    (2, 1, "t3.micro"),
    (2, 2, "t3.small"),
    (2, 4, "t3.medium"),
    (2, 8, "t3.large"),
    (4, 16, "t3.xlarge"),
    (8, 32, "t3.2xlarge"),
    (16, 64, "m5.4xlarge"),
];
/// Enough for a control plane of any orchestrator.
const USUAL_TYPE: &str = "t3.medium";

impl Settings {
    /// The type of the cluster's machines: what is named, or the smallest that has what the shape asks for.
    pub(crate) fn type_for(&self, shape: &MachineShape) -> Result<&str, Failure> {
        if let Some(named) = &self.instance_type {
            return Ok(named);
        }
        if shape.cpu.is_none() && shape.memory.is_none() {
            return Ok(USUAL_TYPE);
        }
        let fits = |(cores, gib, _): &(u64, u64, &str)| {
            shape.cpu.is_none_or(|cpu| cpu <= CpuMillis(cores * 1000))
                && shape.memory.is_none_or(|memory| memory <= Bytes(gib << 30))
        };
        TYPES.into_iter().find(fits).map(|(_, _, name)| name).ok_or_else(|| {
            invalid("no type that Muster chooses by itself is that large").with_remedy("name one: `instanceType`")
        })
    }

    /// The root volume's size: the shape's, or the option's; never less than the image.
    pub(crate) fn root_size(&self, shape: &MachineShape, image: &ChosenImage) -> i32 {
        let asked = shape.disk.and_then(|disk| i32::try_from(disk.0.div_ceil(1 << 30)).ok());
        asked.unwrap_or(self.root_gib).max(image.root_gib)
    }
}

impl Ec2Driver {
    /// The image of the cluster's machines.
    pub(crate) async fn image(&self, settings: &Settings, kind: &str) -> Result<ChosenImage, Failure> {
        let wish =
            (settings.image_id.clone(), settings.image_owner.clone(), settings.image_name.clone(), kind.to_owned());
        let mut kept = self.images.lock().await;
        kept.retain(|_, (_, at)| at.elapsed() < KEPT);
        if let Some((image, _)) = kept.get(&wish) {
            return Ok(image.clone());
        }
        let image = match &settings.image_id {
            Some(id) => self.named_image(id).await?,
            None => self.newest_image(settings, kind).await?,
        };
        kept.insert(wish, (image.clone(), Instant::now()));
        Ok(image)
    }

    async fn named_image(&self, id: &str) -> Result<ChosenImage, Failure> {
        let listed = self.read("look for the image", |ec2| ec2.describe_images().image_ids(id).send()).await?;
        listed.images().iter().find_map(chosen).ok_or_else(|| {
            invalid(format!("there is no image {id} in {}", self.options.region))
                .with_remedy("images differ by region: name one of this region, or leave `imageId` out")
        })
    }

    async fn newest_image(&self, settings: &Settings, kind: &str) -> Result<ChosenImage, Failure> {
        let architecture = self.architecture(kind).await?;
        let word = if architecture == ArchitectureType::Arm64 { "arm64" } else { "amd64" };
        let name = settings.image_name.replace("{arch}", word);
        let listed = self
            .read("look for images", |ec2| {
                ec2.describe_images()
                    .owners(&settings.image_owner)
                    .filters(filter("name", &name))
                    .filters(filter("state", "available"))
                    .send()
            })
            .await?;
        newest(listed.images(), architecture.as_str()).ok_or_else(|| {
            let message = format!(
                "account {} publishes no image `{name}` for {} in {}",
                settings.image_owner,
                architecture.as_str(),
                self.options.region
            );
            Failure::not_applied(ErrorCode::NotFound, message)
                .permanent()
                .with_remedy("set `imageId`, or `imageOwner` and `imageName`")
        })
    }

    async fn architecture(&self, kind: &str) -> Result<ArchitectureType, Failure> {
        let listed = self
            .read("look at the machines' type", |ec2| ec2.describe_instance_types().instance_types(kind.into()).send())
            .await?;
        let types = listed.instance_types();
        let processor = types.first().and_then(|info| info.processor_info());
        let known = processor.into_iter().flat_map(|processor| processor.supported_architectures());
        let known: Vec<_> = known.cloned().collect();
        [ArchitectureType::X8664, ArchitectureType::Arm64]
            .into_iter()
            .find(|one| known.contains(one))
            .ok_or_else(|| invalid(format!("{} has no machines of type {kind} that run Linux", self.options.region)))
    }
}

/// The newest image for this architecture. Their dates are texts that sort by time.
fn newest(images: &[Image], architecture: &str) -> Option<ChosenImage> {
    let fits = |image: &&Image| image.architecture().is_none_or(|it| it.as_str() == architecture);
    let newest = images.iter().filter(fits).max_by_key(|image| image.creation_date().unwrap_or_default().to_owned());
    newest.and_then(chosen)
}

fn chosen(image: &Image) -> Option<ChosenImage> {
    let root = image.root_device_name().unwrap_or("/dev/xvda");
    let volume = image.block_device_mappings().iter().find(|mapping| mapping.device_name() == Some(root));
    let size = volume.and_then(|mapping| mapping.ebs()).and_then(|ebs| ebs.volume_size());
    Some(ChosenImage {
        id: image.image_id()?.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        owner: image.owner_id().unwrap_or_default().to_owned(),
        root_device: root.to_owned(),
        root_gib: size.unwrap_or(8),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::ArchitectureValues;

    use super::*;
    use crate::samples;

    fn image(id: &str, date: &str, architecture: ArchitectureValues) -> Image {
        Image::builder()
            .image_id(id)
            .creation_date(date)
            .architecture(architecture)
            .root_device_name("/dev/xvda")
            .build()
    }

    #[test]
    fn the_newest_image_of_the_right_architecture_is_chosen_whatever_the_order() {
        let images = [
            image("ami-old", "2026-01-02T00:00:00.000Z", ArchitectureValues::X8664),
            image("ami-new", "2026-10-02T00:00:00.000Z", ArchitectureValues::X8664),
            image("ami-arm", "2026-11-02T00:00:00.000Z", ArchitectureValues::Arm64),
            image("ami-middle", "2026-03-02T00:00:00.000Z", ArchitectureValues::X8664),
        ];
        assert_eq!(newest(&images, "x86_64").unwrap().id, "ami-new");
        assert_eq!(newest(&images, "arm64").unwrap().id, "ami-arm");
        assert_eq!(newest(&[], "arm64"), None);
    }

    #[test]
    fn the_smallest_type_that_has_what_is_asked_for_is_chosen() {
        let settings = samples::settings(&[]);
        let kind = |cpu: Option<u64>, gib: Option<u64>| {
            let shape =
                MachineShape { cpu: cpu.map(CpuMillis), memory: gib.map(|gib| Bytes(gib << 30)), ..Default::default() };
            settings.type_for(&shape).map(str::to_owned)
        };
        assert_eq!(kind(None, None).unwrap(), "t3.medium");
        assert_eq!(kind(Some(1500), None).unwrap(), "t3.micro");
        assert_eq!(kind(None, Some(6)).unwrap(), "t3.large");
        assert_eq!(kind(Some(3000), Some(1)).unwrap(), "t3.xlarge");
        assert!(kind(Some(500_000), None).is_err());
    }

    #[test]
    fn a_root_volume_is_never_smaller_than_its_image() {
        let settings = samples::settings(&[]);
        let image = chosen(&image("ami-1", "", ArchitectureValues::X8664)).unwrap();
        let size = |disk: Option<u64>| {
            settings.root_size(&MachineShape { disk: disk.map(Bytes), ..Default::default() }, &image)
        };
        assert_eq!((size(None), size(Some(1 << 30)), size(Some((40 << 30) + 1))), (20, 8, 41));
    }
}
