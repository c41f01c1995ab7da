package hookbox

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// publicJWK writes a signer's public key as a JSON Web Key (RFC 7517, RFC 7518 section 6.3.1).
func publicJWK(kid string, signer crypto.Signer) ([]byte, error) {
	public, is := signer.Public().(*rsa.PublicKey)
	if !is {
		return nil, &Error{
			Code: ErrInvalidKey.Code(), Status: ErrInvalidKey, HTTPStatus: 400,
			Message: fmt.Sprintf("The key is invalid: it must be RSA, not %T.", signer.Public()),
		}
	}
	if kid == "" {
		kid = randomUUID()
	}
	return json.Marshal(map[string]string{
		"kty": "RSA",
		"kid": kid,
		"n":   base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		"e":   base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
	})
}

// randomUUID makes a UUID of version 4 (RFC 9562 section 5.4).
func randomUUID() string {
	var b [16]byte
	rand.Read(b[:]) // Never fails, by its documentation.
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
