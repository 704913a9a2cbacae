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
 * Explains what a browser with a page of this site received from the chat server. This server does not connect itself,
 * because an administrator could then explore the network behind it.
 *
 * @param array{origin: string, status: int, code: string, user: string, hasTeam: bool, hasScript: bool, ticketStatus: int, ticketMessage: string, found: string} $browser
 *     `origin` of the page. `user` of the chat after a connection, and whether there is a team, otherwise the `code` of the refusal, or the `status`
 *     of a request over HTTP, 0 if the browser got or showed no answer. `ticketStatus` if WordPress made no ticket.
 *     `found`: an address at which there is a chat, if there is none at this address
 * @return non-empty-list<array<string, string>> findings
 */
function check_browser(string $url, array $browser): array
{
    ['origin' => $origin, 'user' => $user, 'code' => $code, 'hasScript' => $hasScript] = $browser;
    if ($browser['ticketStatus'] !== 0) {
        return [no_ticket($browser['ticketStatus'], $browser['ticketMessage'])];
    }
    if (str_starts_with($origin, 'https:') && !str_starts_with($url, 'https:')) {
        return [problem(
            __('Browsers block the chat, because its address is not https://.', 'php-session-chat'),
            forward_advice('/chat/'),
        )];
    }
    if ($user === '') {
        return [$code === '' ? not_connected($url, $browser) : refused($url, $browser)];
    }
    /* translators: %s: address */
    $found = [ok(sprintf(__('The chat server runs at %s.', 'php-session-chat'), isolated($url)))];
    if ($user !== chat_id(wp_get_current_user())) {
        $found[] = problem(
            /* translators: %s: ID of a user */
            sprintf(__('The chat server recognises you as another user: %s.', 'php-session-chat'), isolated($user)),
            __('It reads the logins of another site. Set in /etc/php-session-chat/settings, and restart the chat server:', 'php-session-chat'),
            'CHAT_SITE=' . folder(),
        );
    } else {
        $found[] = ok(__('The chat server recognises your login.', 'php-session-chat'));
    }
    if (!$hasScript) {
        $found[] = no_client();
    }
    if (settings()['ask'] && !$browser['hasTeam']) {
        $found[] = no_team();
    }
    if ($origin !== site_origin()) {
        $text = sprintf(
            /* translators: 1: origin of this page, 2: origin of the site */
            __('This test ran at %1$s, but visitors see the site at %2$s.', 'php-session-chat'),
            isolated($origin),
            isolated(site_origin()),
        );
        $advice = __('Check that the settings of the chat server have both:', 'php-session-chat');
        $found[] = ['level' => 'warning'] + problem($text, $advice, origins_line($origin));
    }
    return $found;
}

/** @return array<string, string> the finding about the code of the chat server */
function refused(string $url, array $browser): array
{
    ['origin' => $origin, 'code' => $code] = $browser;
    switch ($code) {
        case 'origin_not_allowed':
            return wrong_origin($origin);
        case 'unauthorized':
        case 'session_invalid':
            return unknown_login($url, $browser);
        case 'forbidden':
            return ok(__('The chat server recognises your login, but you are banned from the chat.', 'php-session-chat'));
        case 'bad_request':
            // The request that follows a failed WebSocket has this code if its origin is right.
            return no_websocket($url);
        case 'session_store_unavailable':
            return missing_part('session store');
        case 'server_draining':
            return missing_part('draining');
        case 'rate_limited':
            return problem(__('The chat server received too many requests from you.', 'php-session-chat'), __('Test again in a minute.', 'php-session-chat'));
        default:
            return missing_part($code);
    }
}

/** @return array<string, string> the finding if the browser got no answer of a chat server */
function not_connected(string $url, array $browser): array
{
    ['origin' => $origin, 'status' => $status, 'hasScript' => $hasScript, 'found' => $elsewhere] = $browser;
    if ($hasScript) {
        // Browsers hide the refusal of another origin from the page, but not the script of the chat server.
        return $status === 0 && ascii_origin($url) !== $origin ? wrong_origin($origin) : no_websocket($url);
    }
    if (in_array($status, [502, 503, 504], true)) {
        /* translators: 1: address, 2: HTTP status */
        $text = sprintf(__('The web server answers at %1$s, but the chat server does not: status %2$d.', 'php-session-chat'), isolated($url), $status);
        $advice = __('Start the chat server, and read its log:', 'php-session-chat');
        return problem($text, $advice, "systemctl restart php-session-chat\njournalctl -u php-session-chat -n 20");
    }
    /* translators: %s: address */
    $text = sprintf(__('There is no chat server at %s.', 'php-session-chat'), isolated($url));
    if ($elsewhere !== '') {
        return problem($text, __('There is one at this address:', 'php-session-chat'), $elsewhere);
    }
    $advice = __('Check the address for typing errors. If the chat server is not installed yet, run these commands as root. Then follow the steps that init prints: they start the server, and let your web server forward this address to it.', 'php-session-chat');
    return problem($text, $advice, install_lines($url));
}

/** @return array<string, string> the finding if CHAT_ORIGINS lacks the origin of the pages */
function wrong_origin(string $origin): array
{
    return problem(
        /* translators: %s: origin of the site */
        sprintf(__('Pages of %s may not connect: CHAT_ORIGINS does not contain it.', 'php-session-chat'), isolated($origin)),
        __('Add it in /etc/php-session-chat/settings, after a comma if there are others, and restart the chat server:', 'php-session-chat'),
        origins_line($origin) . "\n\nsystemctl restart php-session-chat",
    );
}

/** Returns the setting for the pages of the site and of its administration, which may have another address. */
function origins_line(string $origin): string
{
    return 'CHAT_ORIGINS=' . implode(',', array_unique([site_origin(), $origin]));
}

/** @return array<string, string> the finding if the web server in front of the chat server does not forward WebSockets */
function no_websocket(string $url): array
{
    return problem(
        /* translators: %s: address */
        sprintf(__('The chat server runs at %s, but browsers cannot open a WebSocket there.', 'php-session-chat'), isolated($url)),
        __('The web server must forward upgrades to WebSocket. This command, as root, prints the settings of the web server:', 'php-session-chat'),
        'php-session-chat init --steps',
    );
}

/** @return array<string, string> the finding if the script of the elements is missing */
function no_client(): array
{
    return problem(
        __('The browser client is not built: php-chat.js cannot be loaded.', 'php-session-chat'),
        __('In the checkout of the chat server, run this command, and restart the server:', 'php-session-chat'),
        'npm run build',
    );
}

function forward_advice(string $path): string
{
    /* translators: %s: path */
    return sprintf(__('Let the web server of the site forward %s to the chat server, and use that path.', 'php-session-chat'), isolated($path));
}

/** @return array<string, string> the finding about a part that /readyz reports as missing, or a code of the chat server */
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
            return problem(sprintf(__('The chat server is not ready: %s.', 'php-session-chat'), isolated($part)), $find, $doctor);
    }
}

/** Describes who sees the chat on the main site of the network. Only administrators of that site can change it. */
function choice_of_main_site(): string
{
    ['who' => $who, 'roles' => $roles] = settings(get_main_site_id());
    $names = wp_roles()->get_names();
    $titles = array_map(static fn (string $role): string => translate_user_role($names[$role] ?? $role), $roles);
    $choice = $who === 'all' ? __('All logged-in users', 'php-session-chat') : (wp_sprintf('%l', $titles) ?: '–');
    /* translators: %s: roles, “All logged-in users”, or a dash for no role */
    return sprintf(__('The main site chooses for all sites of this network: %s. Other sites can only narrow this choice.', 'php-session-chat'), isolated($choice));
}

/** @return array<string, string> the finding if WordPress gave the browser no ticket */
function no_ticket(int $status, string $message): array
{
    if ($status === 401) {
        return problem(
            __('WordPress gives you no ticket, because you do not see the chat.', 'php-session-chat'),
            __('Save the settings, with your role under “Who sees the chat”.', 'php-session-chat')
                . (is_multisite() ? ' ' . choice_of_main_site() : ''),
        );
    }
    return problem(
        /* translators: 1: HTTP status, 2: message in English */
        sprintf(__('WordPress cannot make tickets: status %1$d. %2$s', 'php-session-chat'), $status, isolated($message)),
        __('Set in wp-config.php the content of the chat server’s CHAT_TICKET_KEY_FILE:', 'php-session-chat'),
        "define('PHP_SESSION_CHAT_TICKET_KEY', file_get_contents('/home/example/ticket-key'));",
    );
}

/** @return array<string, string> the finding if the chat server does not know the login of this browser */
function unknown_login(string $url, array $browser): array
{
    if (ticket_url() !== '') {
        return problem(
            __('The chat server does not accept the tickets of this site.', 'php-session-chat'),
            __('Set in /etc/php-session-chat/settings the file with PHP_SESSION_CHAT_TICKET_KEY, and restart the chat server:', 'php-session-chat'),
            "CHAT_TICKET_KEY_FILE=/etc/php-session-chat/ticket-key\nCHAT_TICKET_AUDIENCE=" . ticket_audience(),
        );
    }
    $host = (string) wp_parse_url($url, PHP_URL_HOST);
    $own = (string) wp_parse_url($browser['origin'], PHP_URL_HOST);
    $domain = ltrim((string) COOKIE_DOMAIN, '.');
    if ($host !== $own && ($domain === '' || !str_ends_with(".$host", ".$domain"))) {
        return problem(
            /* translators: 1: host of the site, 2: host of the chat */
            sprintf(__('Browsers do not send the login of %1$s to %2$s, because cookies belong to a host.', 'php-session-chat'), isolated($own), isolated($host)),
            forward_advice(proposed_server()),
        );
    }
    $path = (string) wp_parse_url($url, PHP_URL_PATH);
    if (!str_starts_with($path, COOKIEPATH) && !str_starts_with($path, SITECOOKIEPATH)) {
        return problem(
            /* translators: 1: path of the site, 2: path of the chat */
            sprintf(__('Browsers send the login only to addresses below %1$s, not to %2$s.', 'php-session-chat'), isolated(COOKIEPATH), isolated($path)),
            forward_advice(proposed_server()),
        );
    }
    return problem(
        __('The chat server does not recognise your login.', 'php-session-chat'),
        __('It must read this WordPress (CHAT_SITE). To follow your login from the cookie to the user, run as root:', 'php-session-chat'),
        'CHAT_SITE=' . folder() . "\n\nphp-session-chat doctor --cookie -",
    );
}

/** @return array<string, string> the finding if nobody can ask on this chat server, but the button says so */
function no_team(): array
{
    return problem(
        __('The chat server has no team, so nobody can ask.', 'php-session-chat'),
        team_lines() === '' ? __('Check the roles of the team and save. Then copy the lines that appear here.', 'php-session-chat') : team_advice(),
        team_lines(),
    );
}

function team_advice(): string
{
    return __('Set in /etc/php-session-chat/settings, and restart the chat server:', 'php-session-chat');
}

function install_lines(string $url): string
{
    $folder = escapeshellarg(folder());
    return "apt install ./php-session-chat_" . VERSION . "_amd64.deb\nphp-session-chat init $folder --url " . escapeshellarg($url);
}

/** Returns the folder of WordPress. Administrators of a site in a network see an example, as in Site Health. */
function folder(): string
{
    return current_user_can('view_site_health_checks') ? untrailingslashit(ABSPATH) : '/var/www/html';
}
