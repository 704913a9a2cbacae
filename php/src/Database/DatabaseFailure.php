<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Database;

/** Describes in plain words why a database rejected a connection or statement. */
final class DatabaseFailure
{
    private const LOGIN = 'wrong user or password';
    private const DATABASE = 'the database does not exist, or this user may not use it';
    private const TABLE = 'the table does not exist';
    private const COLUMN = 'the table lacks a column';
    private const PERMISSION = 'this user lacks a privilege';
    private const FULL = 'too many connections';
    private const LATE = 'it did not respond in time';
    private const UNREACHABLE = 'it cannot be reached';
    private const READ_ONLY = 'it is read-only';
    private const TLS = 'it does not support TLS, or its certificate is not trusted: set ca= to the certificate of its authority';

    /** Descriptions by MySQL's error number, PostgreSQL's SQLSTATE or SQLite's result code. */
    private const BY_CODE = [
        'mysql' => [
            1044 => self::DATABASE, 1045 => self::LOGIN, 1698 => self::LOGIN, 1049 => self::DATABASE, 1146 => self::TABLE,
            1054 => self::COLUMN, 1142 => self::PERMISSION, 1143 => self::PERMISSION, 1040 => self::FULL, 1203 => self::FULL,
            1226 => self::FULL, 1205 => self::LATE, 1969 => self::LATE, 2002 => self::UNREACHABLE,
            2006 => 'it closed the connection, or did not respond in time', 1047 => 'it is disconnected from its cluster',
            1290 => self::READ_ONLY,
        ],
        'pgsql' => [
            '42P01' => self::TABLE, '3F000' => self::TABLE, '42703' => self::COLUMN, '42501' => self::PERMISSION,
            '57014' => self::LATE, '55P03' => self::LATE, '25006' => self::READ_ONLY,
        ],
        'sqlite' => [
            5 => 'another process locked it for too long', 8 => self::READ_ONLY, 13 => 'the disk is full',
            11 => 'the file is damaged', 14 => 'the file cannot be opened', 26 => 'the file is not an SQLite database',
        ],
    ];

    /**
     * Descriptions by a part of the message, for codes with many causes: all connection failures of PostgreSQL's
     * library, many of PHP's MySQL library, and all invalid statements in SQLite.
     */
    private const BY_MESSAGE = [
        'authentication failed' => self::LOGIN,
        'does not exist' => self::DATABASE,
        'too many' => self::FULL,
        'remaining connection slots' => self::FULL,
        'read-only' => self::READ_ONLY,
        'certificate' => self::TLS,
        'SSL' => self::TLS,
        'refused' => self::UNREACHABLE,
        'translate host name' => self::UNREACHABLE,
        'timeout expired' => self::UNREACHABLE,
        'no such table' => self::TABLE,
        'no such column' => self::COLUMN,
    ];

    /** SQLSTATE or MySQL error numbers. */
    private const TOO_LONG = ['22001', 1153, 1406];

    /**
     * Returns a description with the error codes. Omits the database's own message, which may contain the user or a
     * session ID.
     *
     * @param SqlDialect|null $dialect null if the connection failed before the dialect was known
     */
    public static function meaning(?SqlDialect $dialect, \PDOException $error): string
    {
        [$state, $number] = self::codes($error);
        $meaning = null;
        if ($dialect !== null) {
            if ($state === '08006' || $number === 2002 || ($dialect === SqlDialect::Sqlite && $number === 1)) {
                foreach (self::BY_MESSAGE as $part => $means) {
                    $meaning ??= str_contains($error->getMessage(), $part) ? $means : null;
                }
            }
            $meaning ??= self::BY_CODE[$dialect->value][$dialect === SqlDialect::PostgreSql ? $state : $number] ?? null;
        }
        return ($meaning === null ? '' : "$meaning, ") . "SQLSTATE $state ($number)";
    }

    /** Whether a value is too long for its column or for the database. */
    public static function isTooLong(\PDOException $error): bool
    {
        return array_intersect(self::codes($error), self::TOO_LONG) !== [];
    }

    /** @return array{string, int|string} the SQLSTATE and the database's own code */
    private static function codes(\PDOException $error): array
    {
        return ($error->errorInfo ?? []) + [(string) $error->getCode(), 0];
    }
}
