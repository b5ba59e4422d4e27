//! Templates with typed parameters that render to services.
