//! `--ports tickets=8000,control=8099`.

use std::str::FromStr;

const NAMES: &str = "tickets, orchestrator, kubernetes, opa, control";

/// One port for each service; 0 takes a free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ports {
    pub tickets: u16,
    pub orchestrator: u16,
    pub kubernetes: u16,
    pub opa: u16,
    pub control: u16,
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut ports = Self::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (service, port) =
                pair.split_once('=').ok_or_else(|| format!("`{pair}`: expected SERVICE=PORT, such as tickets=8000"))?;
            let slot = match service.trim() {
                "tickets" => &mut ports.tickets,
                "orchestrator" => &mut ports.orchestrator,
                "kubernetes" => &mut ports.kubernetes,
                "opa" => &mut ports.opa,
                "control" => &mut ports.control,
                other => return Err(format!("`{other}` is not a service, expected one of {NAMES}")),
            };
            *slot = port.trim().parse().map_err(|_| format!("{service}: `{port}` is not a port from 0 to 65535"))?;
        }
        Ok(ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_by_service_and_a_wrong_one_is_named() {
        let ports = Ports::from_str("tickets=8000, control=8099").unwrap();
        assert_eq!(ports, Ports { tickets: 8000, control: 8099, ..Ports::default() });
        assert_eq!(Ports::from_str("").unwrap(), Ports::default());
        for (text, named) in [("tikets=1", "`tikets`"), ("tickets", "`tickets`"), ("opa=70000", "opa: `70000`")] {
            assert!(Ports::from_str(text).unwrap_err().starts_with(named), "{text}");
        }
    }
}
