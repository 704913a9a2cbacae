<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** The mail to an offline member with unread messages. It contains no messages, because the event has none. */
final class NoticeMail
{
    /**
     * @param string $from the sender's address; members get addresses at its host, because this site stores none
     * @param string $site the address of the site, for the link
     */
    public function __construct(private readonly string $from, private readonly string $site)
    {
    }

    /**
     * @param string $name the member's user name
     * @param array{total: int, lang?: string, stop?: string, rooms: list<array{name?: string, unread: int, userText: list<string>}>} $due
     *     the data of the event notify.due
     * @return bool whether PHP's mail() accepted the mail
     */
    public function send(string $name, array $due): bool
    {
        $texts = new Texts($due['lang'] ?? 'en');
        $lines = [$texts->get('mail.lead'), ''];
        foreach ($due['rooms'] as $room) {
            // A room of users that the member has not accepted. Its name may be advertising.
            if (!isset($room['name'])) {
                continue;
            }
            $isUserText = in_array('name', $room['userText'], true);
            // Prevents mail programs from turning addresses in a name into links.
            $shown = $isUserText ? preg_replace('/[.:@](?=\S)/u', '$0 ', $room['name']) : $room['name'];
            $lines[] = "$shown: {$room['unread']}";
        }
        if ($lines !== [$texts->get('mail.lead'), '']) {
            $lines[] = '';
        }
        $lines[] = "$this->site/messages";
        $headers = [
            'From' => $this->from,
            'Auto-Submitted' => 'auto-generated',
            'MIME-Version' => '1.0',
            'Content-Type' => 'text/plain; charset=utf-8',
            'Content-Transfer-Encoding' => 'base64',
        ];
        if (isset($due['stop'])) {
            array_push($lines, '', "{$texts->get('mail.stop')} {$due['stop']}");
            // RFC 8058: the user can unsubscribe with one click in the mail program.
            $headers['List-Unsubscribe'] = "<{$due['stop']}>";
            $headers['List-Unsubscribe-Post'] = 'List-Unsubscribe=One-Click';
        }
        $subject = strtr($texts->get('mail.subject'), ['{count}' => (string) $due['total']]);
        return mail(
            $name . strrchr($this->from, '@'),
            '=?UTF-8?B?' . base64_encode($subject) . '?=',
            chunk_split(base64_encode(implode("\n", $lines) . "\n")),
            $headers,
        );
    }
}
