package connect

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"

	"helpdesk/mail"
)

// Numbers of SOCKS5 (RFC 1928, RFC 1929).
const (
	socksVersion  = 5
	socksNoLogin  = 0
	socksPassword = 2
	socksConnect  = 1
	socksIPv4     = 1
	socksName     = 3
	socksIPv6     = 4
)

// socksReplies are the words for the reply codes of RFC 1928 section 6.
var socksReplies = []string{"succeeded", "general failure", "connection not allowed by its rules", "network unreachable", "host unreachable",
	"connection refused", "the connection timed out", "command not supported", "kind of address not supported"}

var errNotSOCKS = errors.New("the proxy does not speak SOCKS5")

// askSOCKS has a SOCKS5 proxy connect to the server; it resolves the name.
func (s Settings) askSOCKS(conn net.Conn, proxy *url.URL) error {
	refused := func(reply int, text string) error {
		return &mail.ProxyError{Proxy: proxyAddress(proxy), Reply: reply, Text: text}
	}
	methods := []byte{socksVersion, 1, socksNoLogin}
	if proxy.User != nil {
		methods = []byte{socksVersion, 2, socksNoLogin, socksPassword}
	}
	answer, err := exchange(conn, methods, 2)
	switch {
	case err != nil:
		return err
	case answer[0] != socksVersion:
		return errNotSOCKS
	case answer[1] == socksPassword && proxy.User != nil:
		password, _ := proxy.User.Password()
		name := proxy.User.Username()
		if len(name) > 255 || len(password) > 255 {
			return refused(mail.SOCKSLogin, "user name or password is too long for SOCKS5")
		}
		login := append([]byte{1, byte(len(name))}, name...)
		login = append(append(login, byte(len(password))), password...)
		if answer, err = exchange(conn, login, 2); err != nil {
			return err
		}
		if answer[1] != 0 {
			return refused(mail.SOCKSLogin, "user name or password refused")
		}
	case answer[1] != socksNoLogin:
		return refused(mail.SOCKSMethod, "it requires a user name and password")
	}
	request, err := socksRequest(s.Host, s.Port)
	if err != nil {
		return err
	}
	if answer, err = exchange(conn, request, 4); err != nil {
		return err
	}
	if code := int(answer[1]); code != 0 {
		text := fmt.Sprintf("reply %d", code)
		if code < len(socksReplies) {
			text = socksReplies[code]
		}
		return refused(code, text)
	}
	return skipAddress(conn, answer[3])
}

// exchange writes a message and reads n bytes of the answer.
func exchange(conn net.Conn, message []byte, n int) ([]byte, error) {
	if _, err := conn.Write(message); err != nil {
		return nil, err
	}
	answer := make([]byte, n)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil, fmt.Errorf("reading the proxy's answer: %w", err)
	}
	return answer, nil
}

func socksRequest(host string, port int) ([]byte, error) {
	request := []byte{socksVersion, socksConnect, 0}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && len(host) > 255:
		return nil, fmt.Errorf("the host name has %d characters, SOCKS5 takes 255", len(host))
	case err != nil:
		request = append(append(request, socksName, byte(len(host))), host...)
	case addr.Unmap().Is4():
		request = append(append(request, socksIPv4), addr.Unmap().AsSlice()...)
	default:
		request = append(append(request, socksIPv6), addr.AsSlice()...)
	}
	return append(request, byte(port>>8), byte(port)), nil
}

// skipAddress reads the proxy's own address and port, which are of no use.
func skipAddress(conn net.Conn, kind byte) error {
	size := 0
	switch kind {
	case socksIPv4:
		size = net.IPv4len
	case socksIPv6:
		size = net.IPv6len
	case socksName:
		length, err := exchange(conn, nil, 1)
		if err != nil {
			return err
		}
		size = int(length[0])
	default:
		return errNotSOCKS
	}
	_, err := exchange(conn, nil, size+2)
	return err
}
