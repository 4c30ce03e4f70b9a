//! Alerts of other systems as incidents: mapping and authentication, without a transport.
