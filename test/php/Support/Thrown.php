<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

trait Thrown
{
    /**
     * @template T of \Throwable
     * @param class-string<T> $class
     * @return T the exception that the call throws
     */
    private static function thrown(string $class, callable $call, string $message = ''): \Throwable
    {
        try {
            $call();
        } catch (\Throwable $error) {
            self::assertInstanceOf($class, $error, "$message {$error->getMessage()}");
            return $error;
        }
        self::fail("no $class $message");
    }
}
