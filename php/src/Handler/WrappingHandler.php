<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\SessionDataError;

/** The base of handlers that convert a session's data before another handler stores it, and back when it is read. */
abstract class WrappingHandler implements
    \SessionHandlerInterface,
    \SessionIdInterface,
    \SessionUpdateTimestampHandlerInterface
{
    /** The validated ID, if its record exists in the store. */
    private ?string $existing = null;

    public function __construct(
        private readonly \SessionHandlerInterface&\SessionIdInterface&\SessionUpdateTimestampHandlerInterface $inner,
    ) {
    }

    /** @throws SessionDataError if the data cannot be converted */
    abstract protected function wrap(string $id, string $data): string;

    /** @throws SessionDataError if the record was not created by wrap() */
    abstract protected function unwrap(string $id, string $record): string;

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['inner' => $this->inner];
    }

    public function open(string $path, string $name): bool
    {
        return $this->inner->open($path, $name);
    }

    final public function close(): bool
    {
        $this->existing = null;
        return $this->inner->close();
    }

    final public function create_sid(): string
    {
        return $this->inner->create_sid();
    }

    final public function validateId(#[\SensitiveParameter] string $id): bool
    {
        $known = $this->inner->validateId($id);
        $this->existing = $known ? $id : null;
        return $known;
    }

    final public function read(#[\SensitiveParameter] string $id): string|false
    {
        $record = $this->inner->read($id);
        // '' may mean that there is no record, or that it was deleted while the inner handler waited for the lock.
        if ($record === false || ($record === '' && ($this->existing !== $id || !$this->inner->validateId($id)))) {
            return $record;
        }
        return $this->orClose(fn (): string => $this->unwrap($id, $record));
    }

    final public function write(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        return $this->inner->write($id, $this->orClose(fn (): string => $this->wrap($id, $data)));
    }

    public function updateTimestamp(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        // The inner handler may write the data instead of only renewing it.
        return $this->inner->updateTimestamp($id, $this->orClose(fn (): string => $this->wrap($id, $data)));
    }

    final public function destroy(#[\SensitiveParameter] string $id): bool
    {
        return $this->inner->destroy($id);
    }

    final public function gc(int $max_lifetime): int|false
    {
        return $this->inner->gc($max_lifetime);
    }

    /** Closes the handler after an exception. PHP does not, and a lock would remain. */
    private function orClose(#[\SensitiveParameter] \Closure $work): string
    {
        try {
            return $work();
        } catch (SessionDataError $error) {
            $this->close();
            throw $error;
        }
    }
}
