<?php

declare(strict_types=1);

namespace PhpSessionChat\Tests\Support;

/** Records the executed statements. */
final class CountedStatement extends \PDOStatement
{
    /** @var list<string> the first word of each */
    public static array $executed = [];

    public function execute(?array $params = null): bool
    {
        self::$executed[] = strtok($this->queryString, ' ');
        return parent::execute($params);
    }
}
