<?php

declare(strict_types=1);

namespace PhpSessionChat;

/**
 * The offline members with unread messages, from the event notify.due of the chat server.
 */
final class Notices
{
    public const TABLE = "CREATE TABLE IF NOT EXISTS notices (
        event TEXT PRIMARY KEY, at INTEGER NOT NULL, member INTEGER NOT NULL, unread INTEGER NOT NULL,
        subject TEXT NOT NULL DEFAULT '', text TEXT NOT NULL DEFAULT ''
    )";

    /** The maximum number of stored notices. */
    private const MOST = 100;

    public function __construct(private readonly Database $database)
    {
    }

    /**
     * @param array{id: string, data: array<string, mixed>} $event may be a duplicate
     * @param array{subject: string, text: string} $mail
     * @return bool whether it is not a duplicate
     */
    public function add(array $event, array $mail): bool
    {
        $added = $this->database->query('INSERT OR IGNORE INTO notices (event, at, member, unread, subject, text) VALUES (?, ?, ?, ?, ?, ?)', [
            $event['id'],
            time(),
            (int) $event['data']['user']['id'],
            (int) $event['data']['total'],
            $mail['subject'],
            $mail['text'],
        ]);
        $this->database->query(
            'DELETE FROM notices WHERE rowid <= (SELECT max(rowid) FROM notices) - ?',
            [self::MOST],
        );
        return $added->rowCount() > 0;
    }

    /** @param array{id: string} $event which the chat server will send again */
    public function remove(array $event): void
    {
        $this->database->query('DELETE FROM notices WHERE event = ?', [$event['id']]);
    }

    /** @return list<array{at: int, name: string, unread: int, subject: string, text: string}> newest first */
    public function all(): array
    {
        return $this->database->query(
            'SELECT at, firstname AS name, unread, subject, text FROM notices JOIN users ON users.id = member ORDER BY notices.rowid DESC',
        )->fetchAll(\PDO::FETCH_ASSOC);
    }
}
