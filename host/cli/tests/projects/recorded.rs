
// A test of the program with every other effect, by what they answered when it ran.
#[cfg(test)]
mod recorded {
    use super::titles;
    use homestar_sdk::testing::recorded;

    #[test]
    fn every_effect() {
        let it = recorded("sent.json");
        let sent = titles::sent(it.args()[0].as_str().unwrap()).unwrap();
        assert_eq!(it.result(), &*sent);
        drop(it);
        let it = recorded("looked_up.json");
        let found = titles::looked_up(it.args()[0].as_str().unwrap()).unwrap();
        assert_eq!(it.result().as_array().unwrap(), &found);
        drop(it);
        let it = recorded("drawn.json");
        assert_eq!(it.result().as_array().unwrap(), &titles::drawn().unwrap());
        drop(it);
        let it = recorded("signed.json");
        let signed = titles::signed(it.args()[0].as_str().unwrap()).unwrap();
        assert_eq!(it.result(), signed);
        drop(it);
        let it = recorded("counted.json");
        assert_eq!(it.result().as_array().unwrap(), &titles::counted().unwrap());
        drop(it);
        let it = recorded("wrongly.json");
        assert_eq!(it.error()["value"], titles::wrongly().unwrap_err());
    }
}
