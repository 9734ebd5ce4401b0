//! Private keys that everybody has: printed in standards, or in the tests of well-known libraries.
//!
//! Each is named by its RFC 7638 thumbprint, which every tool computes alike. The keys of our own
//! tests and vectors need no line: their seeds are one byte repeated, which [`super::weak`] refuses.

/// Where a key is printed, by its thumbprint.
pub(super) fn place(thumbprint: &str) -> Option<&'static str> {
    PRINTED.iter().find(|(known, _)| *known == thumbprint).map(|(_, place)| *place)
}

/// Thumbprint and place. Of the sizes and curves that no keyset has (P-384, P-521, RSA below 2048
/// bits) none is listed.
const PRINTED: &[(&str, &str)] = &[
    ("IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8", "RFC 7515 appendix A.2"),
    ("oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U", "RFC 7515 appendix A.3"),
    ("xtIsOV1FqKH77AI_A3jdTg5QfdabzqI-LNpYTPi0IgI", "RFC 7516 appendix A.1"),
    ("_K0fXS8wlsT7Tn3vvZrs9qdKUIqi5AxQ5EVk41xi_BM", "RFC 7516 appendix A.2"),
    ("cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s", "RFC 7517 appendix A.2"),
    ("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7517 appendix A.2"),
    ("D8R4-FeTJfzuDUy8bZ0c4hcwpul-Q11gCPs3mw6-R9Q", "RFC 7517 appendix C.1"),
    ("9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI", "RFC 7520 section 3.4"),
    ("h_jutvC-jg3Nwueq8LmdSybXykVsBwk4_5u5Y9JiS7E", "RFC 7520 section 5.1.1"),
    ("Rt-IyDEhXohvTl_ozKQ9YGflXGuDb3uu3QmqN2LoMwM", "RFC 7520 section 5.2.1"),
    ("HsSFalww3yP-dO-lWGYgFcyV5H22oScIFc4V2Y6GOto", "RFC 7520 section 5.5.1"),
    ("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8032 section 7.1 and RFC 8037 appendix A.1"),
    ("FtIu-VbGrfe_KB6CH7GNwODB72MNxj_ml11dEvO-7kk", "RFC 8032 section 7.1"),
    ("FVV5umTuau890q59V-4Ga_R6qWb7ON_ivJc4EjvCwTM", "RFC 8032 section 7.1"),
    ("lZI1vM7tnlYapaF5-cy86ptx0tT_8Av721hhiNB5ti4", "RFC 8032 section 7.1"),
    ("iiDHHfFVNG6ICMUTsicgrWf1igtFYZEK73xlobt1ah4", "RFC 8032 section 7.1"),
    ("2bVIQ9_u0wVxBsBwmxK3F42rRFnt_dA7CZQ3u_2RKZY", "RFC 8032 section 7.2"),
    ("qz1FYaobwnFjkaNLccv-mFXe7gu45Zo72p2XqE3Is20", "RFC 8032 section 7.2"),
    ("3YZxBJ12jO3n_mXt_q-j_Z-TFP1vt-NiI3OCf-fEnHQ", "RFC 8410 section 10.3"),
    ("poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U", "RFC 9421 appendix B.1.4"),
    ("ydQXMtvbsOsZyFir-Y7A8t7fKEM1gbKPvyFkdpu4fvI", "RFC 9421 appendix B.1.3"),
    ("BHj8s0GPnMEQtkaULIM-PLgEhLBbuGUQ1vMxmBWZzEo", "RFC 9421 appendix B.1.1"),
    ("LIstkoCvByn4jk8oZPvigQkzTzO9UwnGnE-VMlkZvYQ", "RFC 9500 section 2.3"),
    ("Fa5JHFzFB8yHv0Dk3rGTgtCQPXPr3q8midyfylf8CUU", "RFC 9500 section 2.1"),
    ("DOvxvJiAdIqVWIkFt5hDtCunXLF0BV4-JGv4f-ALSm0", "RFC 6979 appendix A.2.5"),
    ("RQejnA7APu4cWe515UFBIqOOsGcXrbHoLi0v5X3ec7M", "RFC 4754 section 8.1"),
    ("zFHVsM9dc4OlHIwvEnVqfKzRj1ujqYGsZnXAcgn_CqI", "jwt.io"),
    ("-9POkGtActRbSCWs9KxiRwNy9VUrlacyHGd_tqbVDnk", "the tests of the crate jsonwebtoken"),
    ("1F9OrfU2oTuQwsjXs5w-DT99L2hKF4I7IpEJPIg78BA", "the tests of the crate jsonwebtoken"),
    ("zzA9af3jewgb-e1PKLItfx5KMKL1OiIEGx1Ii4nUz2s", "the tests of the crate jsonwebtoken"),
    ("oGDmHqCJ7yzMkWEkrlZVHkvrHIyQwtlDmeq5ForUHeY", "jwt.io"),
    ("Z0HljlUMTsjZpdpUtqK0rQxqKIG0CvXmeGhUq_sM2MI", "the tests of the package jose (npm)"),
    ("D4-9iPw9EaqFBbJouxhLZkeUK_SGZFW_jeaymtacZmI", "the tests of the package jose (npm)"),
    ("vrKoGfczRHox0NhQdBBwieFVn4_G_8hLybJ2AL21vGc", "the tests of PyJWT"),
    ("3XqHrr6_xhD8tmbJaQKyGGU6bXQXJ_USxYhWllzaPI0", "the tests of PyJWT"),
    ("qQ6jEDQi_utuJJopIs6HKOUwBGparO3roUaHeHxsjgM", "the tests of PyJWT"),
    ("sqHEhxXdRW30N7flpatu86vDLZPEr-_kTK0TJkmRDII", "the tests of PyJWT"),
    ("jCdWsBJ7pLKhYcPAj_E8Ee6m6kaX9wMBrzZbvgJiQJk", "the tests of PyJWT"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_line_is_a_thumbprint_of_its_own() {
        let mut seen = BTreeSet::new();
        for (thumbprint, printed_in) in PRINTED {
            let bytes = coldsign_verify::base64url::decode(thumbprint).unwrap();
            assert_eq!(bytes.len(), 32, "{thumbprint}");
            assert!(seen.insert(thumbprint), "{thumbprint} twice");
            assert!(!printed_in.is_empty());
        }
        assert_eq!(place("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k").map(|place| &place[..8]), Some("RFC 8032"));
        assert_eq!(place(""), None);
    }
}
