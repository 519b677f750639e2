"""Public keys that anybody can sign for: what they look like. Pure."""

from math import prod

_PRIMES = tuple(number for number in range(3, 168, 2) if all(number % divisor for divisor in range(3, number, 2)))
_PRODUCT = prod(_PRIMES)
_POWERS = tuple((prime, frozenset(pow(65537, power, prime) for power in range(prime - 1))) for prime in _PRIMES)

_P25519 = 2**255 - 19
_D25519 = -121665 * pow(121666, -1, _P25519)
_P448 = 2**448 - 2**224 - 1
_D448 = -39081


def is_roca(modulus: int) -> bool:
    """Whether an RSA modulus has the mark of the keys that can be factored (CVE-2017-15361).

    The faulty library made primes that are powers of 65537 modulo each small prime, and so is their product. By
    chance a modulus looks like that once in more than a hundred million.
    """
    residue = modulus % _PRODUCT
    return all(residue % prime in powers for prime, powers in _POWERS)


def is_weak_ed25519(point: bytes) -> bool:
    """Whether 32 octets are no point of edwards25519 (RFC 8032, 5.1.3), or one of its eight of small order.

    With a point of small order as the key, a signature fits any message.
    """
    y = int.from_bytes(point, "little") & (2**255 - 1)
    y2 = y * y % _P25519
    # The points of order eight are those that doubling takes to y = 0.
    if y in (0, 1, _P25519 - 1) or (_D25519 * y2 * y2 + 2 * y2 - 1) % _P25519 == 0:
        return True
    return y >= _P25519 or not _is_square((y2 - 1) * (_D25519 * y2 + 1), _P25519)


def is_weak_ed448(point: bytes) -> bool:
    """Whether 57 octets are no point of edwards448 (RFC 8032, 5.2.3), or one of its four of small order."""
    y = int.from_bytes(point, "little") & (2**455 - 1)
    y2 = y * y % _P448
    if y in (0, 1, _P448 - 1):
        return True
    return y >= _P448 or not _is_square((y2 - 1) * (_D448 * y2 - 1), _P448)


def _is_square(number: int, prime: int) -> bool:
    """Euler's criterion."""
    return pow(number, (prime - 1) // 2, prime) == 1
