//! How JSON shows the types that write themselves: for the description of the HTTP bridge's API.

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, OneOfBuilder, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::model::service::{Constraint, FileContent, FileMode, Health, HealthCheck};
use crate::quantity::{Bytes, CpuMillis};
use crate::{ClusterId, InstanceId, MachineId, Name, OperationId, SecretBytes, SecretString, ServiceId, Timestamp};

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about))
}

fn built(object: ObjectBuilder) -> RefOr<Schema> {
    RefOr::T(Schema::Object(object.build()))
}

/// A list of words that later releases may add to.
pub(crate) fn words(known: &'static [&'static str]) -> RefOr<Schema> {
    built(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(known.iter().copied())))
}

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        let about = "Lower-case letters, digits and inner hyphens; it starts with a letter.";
        let name = text(about).pattern(Some(r"^[a-z]([a-z0-9\-]*[a-z0-9])?$"));
        built(name.min_length(Some(1)).max_length(Some(Self::MAX_LENGTH)))
    }
}

impl ToSchema for Name {}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        built(text("RFC 3339, UTC.").format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))))
    }
}

impl ToSchema for Timestamp {}

impl PartialSchema for Bytes {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let written = text("Such as `512Mi`.").pattern(Some(r"^[0-9]{1,9}(Ki|Mi|Gi|k|M|G)?$"));
        let either = OneOfBuilder::new().item(number).item(written).description(Some("Bytes. Shown as a number."));
        RefOr::T(Schema::OneOf(either.build()))
    }
}

impl ToSchema for Bytes {}

impl PartialSchema for CpuMillis {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(1_000_000));
        let written = text("Such as `500m`.").pattern(Some(r"^[0-9]{1,9}m?$"));
        let about = "Processor time: cores, or thousandths as text. Shown as text.";
        let either = OneOfBuilder::new().item(number).item(written).description(Some(about));
        RefOr::T(Schema::OneOf(either.build()))
    }
}

impl ToSchema for CpuMillis {}

impl PartialSchema for FileMode {
    fn schema() -> RefOr<Schema> {
        built(text("A file's mode in octal, such as `0400`; at most `0777`.").pattern(Some("^0?[0-7]{3}$")))
    }
}

impl ToSchema for FileMode {}

impl PartialSchema for Health {
    fn schema() -> RefOr<Schema> {
        let none = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([Self::NONE]));
        let either = OneOfBuilder::new().item(none).item(Ref::from_schema_name(HealthCheck::name()));
        RefOr::T(Schema::OneOf(either.description(Some("A check, or none whatever the image says.")).build()))
    }
}

impl ToSchema for Health {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HealthCheck::name().into_owned(), HealthCheck::schema()));
        HealthCheck::schemas(schemas);
    }
}

impl PartialSchema for SecretString {
    fn schema() -> RefOr<Schema> {
        built(text("A secret. It is taken and never shown."))
    }
}

impl ToSchema for SecretString {}

/// A text, or `{ base64: … }`.
fn text_or_base64(about: &str) -> RefOr<Schema> {
    let encoded = text("Standard base64 with padding.").format(Some(SchemaFormat::KnownFormat(KnownFormat::Byte)));
    let object = ObjectBuilder::new().property("base64", encoded).required("base64");
    let object = object.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let either = OneOfBuilder::new().item(ObjectBuilder::new().schema_type(Type::String)).item(object);
    RefOr::T(Schema::OneOf(either.description(Some(about)).build()))
}

impl PartialSchema for SecretBytes {
    fn schema() -> RefOr<Schema> {
        text_or_base64("A secret: a text, or any bytes in base64. It is taken and never shown.")
    }
}

impl ToSchema for SecretBytes {}

impl PartialSchema for FileContent {
    fn schema() -> RefOr<Schema> {
        text_or_base64("What a file holds: a text, or any bytes in base64.")
    }
}

impl ToSchema for FileContent {}

impl PartialSchema for Constraint {
    fn schema() -> RefOr<Schema> {
        let about = "Such as `role==worker`, `host!=worker-2` or `label.disk==ssd`.";
        built(
            text(about).pattern(Some(r"^(role(==|!=)(worker|control-plane)|(host|label\.[a-z]+)(==|!=)[a-z0-9\-]+)$")),
        )
    }
}

impl ToSchema for Constraint {}

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl PartialSchema for $id {
            fn schema() -> RefOr<Schema> {
                built(ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))))
            }
        }

        impl ToSchema for $id {}
    )+};
}

ids!(ClusterId, InstanceId, MachineId, OperationId, ServiceId);
