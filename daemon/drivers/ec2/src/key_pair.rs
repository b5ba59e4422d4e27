//! The cluster's login key, as EC2 puts it on new machines. Only its public half goes there.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{KeyPairInfo, ResourceType};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::Present;
use muster_material::material;
use muster_protocol::ErrorCode;

use crate::mark::{self, filters_of, specification};
use crate::network::sorted;
use crate::words;
use crate::{Ec2Driver, found};

impl Ec2Driver {
    pub(crate) async fn create_key_pair(&self, cluster: &ClusterContext) -> Result<Present, Failure> {
        let key = words::key_pair();
        if let Some(id) = self.key_pairs(cluster).await?.into_iter().next() {
            return Ok(found(id));
        }
        let public = material::entry(&cluster.material, material::SSH_PUBLIC_KEY)
            .map_err(|error| Failure::not_applied(ErrorCode::Internal, error.to_string()).permanent())?;
        let tags = specification(ResourceType::KeyPair, cluster, &key);
        let made = self
            .change("import the key pair", |ec2| {
                ec2.import_key_pair()
                    .key_name(mark::name(cluster, &key))
                    .public_key_material(Blob::new(public.as_bytes()))
                    .tag_specifications(tags.clone())
                    .send()
            })
            .await;
        match made {
            Ok(made) => self.made("the key pair", made.key_pair_id()),
            Err(error) if error.is("InvalidKeyPair.Duplicate") => {
                let there = self.key_pairs(cluster).await?.into_iter().next();
                there.map(found).ok_or_else(|| error.failure.in_doubt())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn key_pairs(&self, cluster: &ClusterContext) -> Result<Vec<String>, Failure> {
        Ok(sorted(self.key_pair_infos(cluster).await?.iter().filter_map(KeyPairInfo::key_pair_id)))
    }

    async fn key_pair_infos(&self, cluster: &ClusterContext) -> Result<Vec<KeyPairInfo>, Failure> {
        let filters = filters_of(cluster, &words::key_pair());
        let listed = self
            .read("look for the key pair", |ec2| ec2.describe_key_pairs().set_filters(Some(filters.clone())).send())
            .await?;
        Ok(listed.key_pairs().to_vec())
    }

    pub(crate) async fn remove_key_pair(&self, cluster: &ClusterContext, id: &str) -> Result<(), Failure> {
        let there = self.key_pair_infos(cluster).await?;
        self.sure_that_gone(&sorted(there.iter().filter_map(KeyPairInfo::key_pair_id)), id)?;
        // By name, which compatible clouds know better than the id.
        for name in there.iter().filter_map(KeyPairInfo::key_name) {
            let removed = self.change("delete the key pair", |ec2| ec2.delete_key_pair().key_name(name).send()).await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }
}
