//! The two signatures every request carries.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

/// `X-Twilio-Signature`: HMAC-SHA1 over the URL and the POST pairs, sorted by name, one after the
/// other without a delimiter. A repeated name counts once per different value, as the validators of
/// the helper libraries do.
#[must_use]
pub fn twilio_signature<'a>(
    auth_token: &str,
    url: &str,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable();
    pairs.dedup();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(url.as_bytes());
    for (name, value) in pairs {
        context.update(name.as_bytes());
        context.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(context.sign())
}

/// `webhook-signature` of Standard Webhooks: `v1,` and HMAC-SHA256 over `id.timestamp.body`, one per
/// secret, separated by spaces. Empty without a secret.
#[must_use]
pub fn standard_signature(secrets: &[Vec<u8>], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut out = String::new();
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let mut context = hmac::Context::with_key(&key);
        context.update(id.as_bytes());
        context.update(format!(".{timestamp}.").as_bytes());
        context.update(body);
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str("v1,");
        BASE64_STANDARD.encode_string(context.sign(), &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const PAIRS: [(&str, &str); 5] = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
        ("Caller", "+14158675309"),
    ];

    fn sign(url: &str, pairs: &[(&'static str, &'static str)]) -> String {
        twilio_signature("12345", url, pairs.iter().copied())
    }

    #[test]
    fn the_published_twilio_vectors_hold() {
        assert_eq!(sign(PLAIN, &PAIRS), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let with_body =
            format!("{PLAIN}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620");
        assert_eq!(sign(&with_body, &[]), "a9nBmqA0ju/hNViExpshrM61xv4=");
        let port = "https://mycompany.com:443/myapp.php?foo=1&bar=2";
        assert_eq!(sign(port, &PAIRS), "kvajT1Ptam85bY51eRf/AJRuM3w=");
    }

    #[test]
    fn names_sort_by_byte_and_repeated_pairs_count_once() {
        let mixed = [("a", ""), ("B", "x y"), ("b", "é+&="), ("A", "1")];
        assert_eq!(sign(PLAIN, &mixed), "y0Qmrf6FyXTnGoar3ty5Egb09OI=");
        let repeated = [("K", "2"), ("K", "1"), ("K", "2")];
        assert_eq!(sign(PLAIN, &repeated), "ufV/T/TNKdcO+K3wmHduPtcX4JY=");
    }

    #[test]
    fn the_standard_webhooks_vector_holds_for_one_and_two_secrets() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let sign = |secrets: &[Vec<u8>]| {
            standard_signature(
                secrets,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#,
            )
        };
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(std::slice::from_ref(&secret)), right);
        let both = sign(&[vec![7; 24], secret]);
        let (first, second) = both.split_once(' ').unwrap();
        assert!(first.starts_with("v1,") && first != right);
        assert_eq!(second, right);
        assert_eq!(sign(&[]), "");
    }
}
