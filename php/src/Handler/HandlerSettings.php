<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;

/** The settings that all store handlers share. */
final class HandlerSettings
{
    /** The default lease of a lock, in seconds. Longer than pages take. */
    public const LEASE = 60;

    /** A year, in seconds. A longer lifetime is probably a mistake. */
    private const MAX_LIFETIME = 366 * 24 * 60 * 60;

    /**
     * @param int|null $lifetime of a session after its last use, in seconds; null: `session.gc_maxlifetime`
     * @param int|null $lockWait how long a request waits in total for other requests of its session, in seconds; null:
     *        no lock, so the last request to write wins
     * @param int $lockLease after this time in seconds a lock expires, even if its request is still running
     * @param string|null $serializer the required `session.serialize_handler`, for other programs that read the
     *        sessions; null: any
     * @throws InvalidSettings
     */
    public function __construct(
        public readonly ?int $lifetime = null,
        public readonly ?int $lockWait = null,
        public readonly int $lockLease = self::LEASE,
        public readonly ?string $serializer = null,
    ) {
        $lifetime === null || self::checkLifetime($lifetime);
        if ($lockWait !== null && ($lockWait < 1 || $lockWait > 600)) {
            throw new InvalidSettings('the wait for a lock must be 1 to 600 seconds');
        }
        if ($lockLease < 1 || $lockLease > 86400) {
            throw new InvalidSettings('the lease of a lock must be 1 second to a day');
        }
    }

    /** @throws InvalidSettings */
    public static function checkLifetime(int $seconds): void
    {
        if ($seconds < 1 || $seconds > self::MAX_LIFETIME) {
            throw new InvalidSettings('the lifetime must be 1 second to a year');
        }
    }
}
