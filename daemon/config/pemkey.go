package config

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// parsePEMKey reads a private key in any of the forms that openssl writes.
func parsePEMKey(block *pem.Block, password string) (crypto.PrivateKey, error) {
	der := block.Bytes
	var err error
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		der, err = openPBES2(der, password)
	//lint:ignore SA1019 old keys are locked this way, and we only read them
	case x509.IsEncryptedPEMBlock(block):
		//lint:ignore SA1019 as above
		der, err = x509.DecryptPEMBlock(block, []byte(password))
		if errors.Is(err, x509.IncorrectPasswordError) {
			err = errPassword
		}
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("a key of SSH has no certificate")
	}
	if err != nil {
		return nil, err
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil && block.Type == "ENCRYPTED PRIVATE KEY" || len(block.Headers) > 0 && err != nil {
		return nil, errPassword // one wrong password in 256 gives a padding that seems right
	}
	return key, err
}

// encryptedKey is EncryptedPrivateKeyInfo (RFC 5958 section 3).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 are the parameters of PBES2 (RFC 8018 appendix A.4).
type pbes2 struct {
	Derivation pkix.AlgorithmIdentifier
	Cipher     pkix.AlgorithmIdentifier
}

// pbkdf2Parameters are of RFC 8018 appendix A.2.
type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// maxIterations bounds the work that a key file can ask for; openssl asks for
// 2,048, the strictest advice for 1,300,000.
const maxIterations = 10_000_000

// openPBES2 decrypts a PKCS#8 key that is locked as openssl has done it since
// 2016. The standard library does not do it.
func openPBES2(der []byte, password string) ([]byte, error) {
	var key encryptedKey
	if _, err := asn1.Unmarshal(der, &key); err != nil {
		return nil, fmt.Errorf("reading the encrypted key: %w", err)
	}
	if id := key.Algorithm.Algorithm.String(); id != "1.2.840.113549.1.5.13" {
		return nil, fmt.Errorf("%w: %s", errCipher, id)
	}
	var scheme pbes2
	if _, err := asn1.Unmarshal(key.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, fmt.Errorf("reading how the key is encrypted: %w", err)
	}
	if id := scheme.Derivation.Algorithm.String(); id != "1.2.840.113549.1.5.12" {
		return nil, fmt.Errorf("%w: %s", errCipher, id)
	}
	var derivation pbkdf2Parameters
	if _, err := asn1.Unmarshal(scheme.Derivation.Parameters.FullBytes, &derivation); err != nil {
		return nil, fmt.Errorf("reading how the key is encrypted: %w", err)
	}
	newCipher, keyLength, err := cipherOf(scheme.Cipher.Algorithm.String())
	if err != nil {
		return nil, err
	}
	digest, err := digestOf(derivation.PRF.Algorithm.String())
	if err != nil {
		return nil, err
	}
	var iv []byte
	if _, err := asn1.Unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, fmt.Errorf("reading how the key is encrypted: %w", err)
	}
	if derivation.Iterations < 1 || derivation.Iterations > maxIterations {
		return nil, fmt.Errorf("%w: it asks for %d iterations", errCipher, derivation.Iterations)
	}
	secret, err := pbkdf2.Key(digest, password, derivation.Salt, derivation.Iterations, keyLength)
	if err != nil {
		return nil, fmt.Errorf("decrypting the key: %w", err)
	}
	block, err := newCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("decrypting the key: %w", err)
	}
	return openCBC(block, iv, key.Data)
}

// openCBC decrypts data and takes off its padding (RFC 8018 section 6.1.1).
func openCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errDamaged
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > size {
		return nil, errPassword
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, errPassword
		}
	}
	return plain[:len(plain)-pad], nil
}

func cipherOf(id string) (func([]byte) (cipher.Block, error), int, error) {
	switch id {
	case "2.16.840.1.101.3.4.1.42":
		return aes.NewCipher, 32, nil
	case "2.16.840.1.101.3.4.1.22":
		return aes.NewCipher, 24, nil
	case "2.16.840.1.101.3.4.1.2":
		return aes.NewCipher, 16, nil
	case "1.2.840.113549.3.7":
		return des.NewTripleDESCipher, 24, nil
	}
	return nil, 0, fmt.Errorf("%w: %s", errCipher, id)
}

// digestOf is the hash of an HMAC; "" is what is meant without one (RFC 8018 appendix A.2).
func digestOf(id string) (func() hash.Hash, error) {
	switch id {
	case "", "1.2.840.113549.2.7":
		return sha1.New, nil
	case "1.2.840.113549.2.9":
		return sha256.New, nil
	case "1.2.840.113549.2.10":
		return sha512.New384, nil
	case "1.2.840.113549.2.11":
		return sha512.New, nil
	}
	return nil, fmt.Errorf("%w: %s", errCipher, id)
}
