<?php
// Returns what Joomla stores of a session with its handler "Database": $_SESSION['joomla'] is a serialized registry in
// base64. Input: id (of the user), now (the time of the last page) and more (further values). Classes have the names
// and properties that Joomla's have when serialized.

namespace Joomla\CMS\User {
    if (!class_exists(User::class, false)) {
        class User
        {
            public function __construct(public $id)
            {
            }
        }
    }
}

namespace Joomla\Registry {
    if (!class_exists(Registry::class, false)) {
        class Registry
        {
            protected $data;
            protected $initialized = true;
            public $separator = '.';

            public function __construct($data)
            {
                $this->data = $data;
            }
        }
    }
}

namespace {
    $in = json_decode(json_encode($in));
    $timer = (object) ['start' => $in->now - 9999, 'last' => $in->now - 10, 'now' => $in->now];
    $values = ['session' => (object) ['counter' => 3, 'timer' => $timer, 'token' => 'é'], 'registry' => null];
    $values['user'] = new Joomla\CMS\User\User($in->id);
    $values += (array) $in->more;
    ini_set('session.save_path', sys_get_temp_dir());
    ini_set('session.use_cookies', 0);
    session_cache_limiter('');
    session_start();
    $_SESSION = ['joomla' => base64_encode(serialize(new Joomla\Registry\Registry((object) $values)))];
    $data = session_encode();
    session_destroy();
    return ['data' => $data];
}
