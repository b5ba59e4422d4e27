//! Muster's durable store on sled.
