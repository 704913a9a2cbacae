<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionDataError;

/**
 * Encrypts sessions before another handler stores them.
 *
 *     $handler = new EncryptedHandler(new RedisHandler('127.0.0.1'), KeyFile::read('/etc/site/session-keys'));
 *     session_set_save_handler($handler, false);
 *     session_start(['use_strict_mode' => true]);
 *
 * A reader of the store cannot read the sessions. A writer to the store can end a session, and can restore an older
 * record of the same session, even after its end. It cannot forge a session, or move data from one session to another.
 *
 * A record is a nonce of 24 random bytes, followed by libsodium's XChaCha20-Poly1305 (IETF) of the data, with the
 * session ID as additional data. The first key encrypts, and all keys decrypt. A session that is written or renewed is
 * encrypted with the first key, so an old key can be removed once all sessions encrypted with it have expired.
 */
final class EncryptedHandler extends WrappingHandler
{
    private const NONCE_BYTES = SODIUM_CRYPTO_AEAD_XCHACHA20POLY1305_IETF_NPUBBYTES;

    /** The ID of a session that is still encrypted with an older key. */
    private ?string $outdated = null;

    /**
     * @param list<string> $keys of 32 bytes, the newest first (see KeyFile)
     * @throws InvalidSettings
     */
    public function __construct(
        #[\SensitiveParameter]
        \SessionHandlerInterface&\SessionIdInterface&\SessionUpdateTimestampHandlerInterface $inner,
        #[\SensitiveParameter] private readonly array $keys,
    ) {
        parent::__construct($inner);
        foreach ($keys ?: [''] as $key) {
            if (strlen($key) !== SODIUM_CRYPTO_AEAD_XCHACHA20POLY1305_IETF_KEYBYTES) {
                throw new InvalidSettings('the keys that encrypt sessions must have 32 bytes');
            }
        }
    }

    public function updateTimestamp(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        return $this->outdated === $id ? $this->write($id, $data) : parent::updateTimestamp($id, $data);
    }

    protected function wrap(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): string
    {
        $nonce = random_bytes(self::NONCE_BYTES);
        return $nonce . sodium_crypto_aead_xchacha20poly1305_ietf_encrypt($data, $id, $nonce, $this->keys[0]);
    }

    protected function unwrap(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): string
    {
        $this->outdated = null;
        $nonce = substr($record, 0, self::NONCE_BYTES);
        if (strlen($nonce) === self::NONCE_BYTES) {
            $box = substr($record, self::NONCE_BYTES);
            foreach ($this->keys as $n => $key) {
                $data = sodium_crypto_aead_xchacha20poly1305_ietf_decrypt($box, $id, $nonce, $key);
                if ($data !== false) {
                    $this->outdated = $n === 0 ? null : $id;
                    return $data;
                }
            }
        }
        throw new SessionDataError(
            'The stored session is not encrypted, or is encrypted with another key or for another session ID.',
        );
    }
}
