<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

/** @return array{level: 'ok', text: string, advice: string, lines: string} a finding, with a level of `php-session-chat doctor` */
function ok(string $text): array
{
    return ['level' => 'ok', 'text' => $text, 'advice' => '', 'lines' => ''];
}

/**
 * @param string $lines commands or settings to copy
 * @return array{level: 'problem', text: string, advice: string, lines: string}
 */
function problem(string $text, string $advice, string $lines = ''): array
{
    return ['level' => 'problem', 'text' => $text, 'advice' => $advice, 'lines' => $lines];
}

/**
 * Checks whether this server and the browser reach the chat server.
 *
 * @param array{origin: string, status: int, code: string, user: string, hasScript: bool, ticketStatus?: int, ticketMessage?: string} $browser
 *     what the browser of the current user received for `/me`; status 0: nothing. `ticketStatus` if it got no ticket
 * @return list<array<string, string>> findings
 */
function examine(string $server, array $browser): array
{
    $url = server_url($server);
    $found = check_server($url);
    $isReached = $found[0]['level'] === 'ok';
    if (!$isReached && in_array($browser['status'], [200, 403], true)) {
        $found[0]['level'] = 'warning';
    }
    // Browsers resolve a path relative to the page, whose origin can differ from the site's address.
    $seen = check_browser(str_starts_with($server, '/') ? $browser['origin'] . $server : $server, $browser, $isReached);
    return $seen === null || in_array($seen, $found, true) ? $found : [...$found, $seen];
}

/**
 * Checks whether this server reaches the chat server, and whether the chat server is ready.
 *
 * @return non-empty-list<array<string, string>> findings; the first tells whether there is a chat server
 */
function check_server(string $url): array
{
    $answer = fetch($url . 'healthz');
    if (is_wp_error($answer)) {
        /* translators: 1: address, 2: error */
        $text = sprintf(__('The chat cannot be reached at %1$s: %2$s', 'php-session-chat'), $url, $answer->get_error_message());
        return [problem($text, install_advice(), install_lines($url))];
    }
    $status = wp_remote_retrieve_response_code($answer);
    if (in_array($status, [502, 503, 504], true)) {
        /* translators: 1: address, 2: HTTP status */
        $text = sprintf(__('The web server answers at %1$s, but the chat server does not: status %2$d.', 'php-session-chat'), $url, $status);
        $advice = __('Start the chat server, and read its log:', 'php-session-chat');
        return [problem($text, $advice, "systemctl restart php-session-chat\njournalctl -u php-session-chat -n 20")];
    }
    if ($status !== 200 || json_of($answer) !== ['status' => 'ok']) {
        /* translators: 1: address, 2: HTTP status */
        $text = sprintf(__('There is no chat at %1$s: healthz returns status %2$d.', 'php-session-chat'), $url, $status);
        return [problem($text, install_advice(), install_lines($url))];
    }
    /* translators: %s: address */
    $found = [ok(sprintf(__('The chat server runs at %s.', 'php-session-chat'), $url))];
    $ready = fetch($url . 'readyz');
    if (is_wp_error($ready)) {
        $found[] = missing_part('no answer of readyz');
    }
    $missing = is_wp_error($ready) ? [] : (json_of($ready)['missing'] ?? []);
    foreach (is_array($missing) ? $missing : [] as $part) {
        $found[] = missing_part((string) $part);
    }
    if (wp_remote_retrieve_response_code(fetch($url . 'php-chat.js')) !== 200) {
        $text = __('The browser client is not built: php-chat.js cannot be loaded.', 'php-session-chat');
        $advice = __('In the checkout of the chat server, run this command, and restart the server:', 'php-session-chat');
        $found[] = problem($text, $advice, 'npm run build');
    }
    return $found;
}

/** @return array<string, string> the finding about a part that /readyz reports as missing */
function missing_part(string $part): array
{
    $doctor = 'php-session-chat doctor';
    $find = __('To find the cause, run as root:', 'php-session-chat');
    switch ($part) {
        case 'session store':
            return problem(__('The chat server cannot read the logins of WordPress, so nobody can connect.', 'php-session-chat'), $find, $doctor);
        case 'history':
            return problem(__('The chat server cannot reach its own database.', 'php-session-chat'), $find, $doctor);
        case 'draining':
            return problem(__('The chat server is shutting down.', 'php-session-chat'), __('Test again in a few seconds.', 'php-session-chat'));
        default:
            /* translators: %s: name of a part, in English */
            return problem(sprintf(__('The chat server is not ready: %s.', 'php-session-chat'), $part), $find, $doctor);
    }
}

/**
 * @param array{origin: string, status: int, code: string, user: string, hasScript: bool} $browser
 * @param bool $isReached whether this server reaches the chat server
 * @return array<string, string>|null null if the cause was already found
 */
function check_browser(string $url, array $browser, bool $isReached): ?array
{
    ['origin' => $origin, 'status' => $status, 'code' => $code, 'user' => $user] = $browser;
    if (($browser['ticketStatus'] ?? 0) !== 0) {
        return no_ticket($browser['ticketStatus'], $browser['ticketMessage'] ?? '');
    }
    if (str_starts_with($origin, 'https:') && !str_starts_with($url, 'https:')) {
        return problem(
            __('Browsers block the chat, because its address is not https://.', 'php-session-chat'),
            __('Let the web server of the site forward a path to the chat server, and use that path, such as /chat/.', 'php-session-chat'),
        );
    }
    if ($code === 'origin_not_allowed' || ($status === 0 && $browser['hasScript'])) {
        return problem(
            /* translators: %s: origin of the site */
            sprintf(__('Pages of %s may not connect: CHAT_ORIGINS does not contain it.', 'php-session-chat'), $origin),
            __('Add it in /etc/php-session-chat/settings, after a comma if there are others, and restart the chat server:', 'php-session-chat'),
            "CHAT_ORIGINS=$origin\n\nsystemctl restart php-session-chat",
        );
    }
    if ($status === 200 && $user === '') {
        return unknown_login($url, $origin);
    }
    if ($status === 200 && $user !== chat_id(wp_get_current_user())) {
        return problem(
            /* translators: %s: ID of a user */
            sprintf(__('The chat server recognises you as another user: %s.', 'php-session-chat'), $user),
            __('It reads the logins of another site. Set in /etc/php-session-chat/settings, and restart the chat server:', 'php-session-chat'),
            'CHAT_SITE=' . untrailingslashit(ABSPATH),
        );
    }
    if ($status === 200) {
        return ok(__('The chat server recognises your login.', 'php-session-chat'));
    }
    // A web server may hide /readyz, which also reports this.
    if ($code === 'session_store_unavailable') {
        return missing_part('session store');
    }
    if ($status === 429) {
        return problem(__('The chat server received too many requests from you.', 'php-session-chat'), __('Test again in a minute.', 'php-session-chat'));
    }
    return !$isReached || $status === 503 ? null : problem(
        /* translators: %s: address */
        sprintf(__('This server reaches the chat at %s, but your browser does not.', 'php-session-chat'), $url),
        __('Let the web server of the site forward a path to the chat server, and use that path, such as /chat/.', 'php-session-chat'),
    );
}

/** @return array<string, string> the finding if WordPress gave the browser no ticket */
function no_ticket(int $status, string $message): array
{
    if ($status === 401) {
        return problem(
            __('WordPress gives you no ticket, because you do not see the chat.', 'php-session-chat'),
            __('Save the settings, with your role under “Who sees the chat”.', 'php-session-chat'),
        );
    }
    return problem(
        /* translators: 1: HTTP status, 2: message in English */
        sprintf(__('WordPress cannot make tickets: status %1$d. %2$s', 'php-session-chat'), $status, $message),
        __('Set in wp-config.php the content of the chat server’s CHAT_TICKET_KEY_FILE:', 'php-session-chat'),
        "define('PHP_SESSION_CHAT_TICKET_KEY', file_get_contents('/home/example/ticket-key'));",
    );
}

/** @return array<string, string> the finding if the chat server does not know the login of this browser */
function unknown_login(string $url, string $origin): array
{
    if (ticket_url() !== '') {
        return problem(
            __('The chat server does not accept the tickets of this site.', 'php-session-chat'),
            __('Set in /etc/php-session-chat/settings the file with PHP_SESSION_CHAT_TICKET_KEY, and restart the chat server:', 'php-session-chat'),
            "CHAT_TICKET_KEY_FILE=/etc/php-session-chat/ticket-key\nCHAT_TICKET_AUDIENCE=" . ticket_audience(),
        );
    }
    $host = (string) wp_parse_url($url, PHP_URL_HOST);
    $own = (string) wp_parse_url($origin, PHP_URL_HOST);
    $domain = ltrim((string) COOKIE_DOMAIN, '.');
    if ($host !== $own && ($domain === '' || !str_ends_with(".$host", ".$domain"))) {
        return problem(
            /* translators: 1: host of the site, 2: host of the chat */
            sprintf(__('Browsers do not send the login of %1$s to %2$s, because cookies belong to a host.', 'php-session-chat'), $own, $host),
            __('Let the web server of the site forward a path to the chat server, and use that path, such as /chat/.', 'php-session-chat'),
        );
    }
    $path = (string) wp_parse_url($url, PHP_URL_PATH);
    if (!str_starts_with($path, COOKIEPATH) && !str_starts_with($path, SITECOOKIEPATH)) {
        return problem(
            /* translators: 1: path of the site, 2: path of the chat */
            sprintf(__('Browsers send the login only to addresses below %1$s, not to %2$s.', 'php-session-chat'), COOKIEPATH, $path),
            /* translators: %s: path */
            sprintf(__('Let the web server forward %s to the chat server, and use that path.', 'php-session-chat'), COOKIEPATH . 'chat/'),
        );
    }
    return problem(
        __('The chat server does not recognise your login.', 'php-session-chat'),
        __('It must read this WordPress (CHAT_SITE). To follow your login from the cookie to the user, run as root:', 'php-session-chat'),
        'CHAT_SITE=' . untrailingslashit(ABSPATH) . "\n\nphp-session-chat doctor --cookie -",
    );
}

function install_advice(): string
{
    return __('To install the chat server, run these commands as root. Then follow the steps that init prints: they start the server, and let your web server forward this address to it.', 'php-session-chat');
}

function install_lines(string $url): string
{
    $folder = escapeshellarg(untrailingslashit(ABSPATH));
    return "apt install ./php-session-chat_" . VERSION . "_amd64.deb\nphp-session-chat init $folder --url " . escapeshellarg($url);
}

/** @return array<string, mixed>|\WP_Error the response */
function fetch(string $url): array|\WP_Error
{
    return wp_remote_get($url, ['timeout' => 5, 'redirection' => 0, 'limit_response_size' => 64 * 1024]);
}

/** @return array<string, mixed> the JSON object in a response; empty if there is none */
function json_of(array $answer): array
{
    $value = json_decode(wp_remote_retrieve_body($answer), true);
    return is_array($value) ? $value : [];
}
