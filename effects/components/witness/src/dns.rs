use crate::bindings::exports::homestar::dns::client::Guest;
use crate::bindings::homestar::dns::client::{
    Answer, Error, RecordType, addresses, lookup, reverse,
};
use crate::bindings::homestar::dns::types::{Caa, Data, Mx, Srv};
use crate::told::{cases, record, variant};
use crate::{Witness, tell};

record!(Answer { data name ttl });
record!(Caa { critical tag value });
record!(Mx { exchange preference });
record!(Srv { port priority target weight });
cases!(RecordType {
    A "a" Aaaa "aaaa" Caa "caa" Cname "cname" Mx "mx" Ns "ns" Ptr "ptr" Srv "srv" Txt "txt"
});
variant!(Data {
    A(data) "a"
    Aaaa(data) "aaaa"
    Caa(data) "caa"
    Cname(data) "cname"
    Mx(data) "mx"
    Ns(data) "ns"
    Ptr(data) "ptr"
    Srv(data) "srv"
    Txt(data) "txt"
});
variant!(Error {
    Denied(text) "denied"
    Budget(text) "budget"
    Invalid(text) "invalid"
    NotFound "not-found"
    Timeout "timeout"
    Failed(text) "failed"
});

impl Guest for Witness {
    fn lookup(name: String, record_type: RecordType) -> Result<Vec<Answer>, Error> {
        let answer = lookup(&name, record_type);
        tell(
            "homestar:dns/client.lookup",
            &[&name, &record_type],
            &answer,
        );
        answer
    }

    fn addresses(name: String) -> Result<Vec<String>, Error> {
        let answer = addresses(&name);
        tell("homestar:dns/client.addresses", &[&name], &answer);
        answer
    }

    fn reverse(address: String) -> Result<Vec<String>, Error> {
        let answer = reverse(&address);
        tell("homestar:dns/client.reverse", &[&address], &answer);
        answer
    }
}
