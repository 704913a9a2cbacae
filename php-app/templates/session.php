<?php

declare(strict_types=1);

$title = $t('session.heading') . ' · ' . $t('site.name');
$class = 'login-page';
?>
<main class="login">
<div class="card">
<h1><?= $t('session.heading') ?></h1>
<dl class="facts">
<dt><?= $t('session.id') ?></dt><dd id="session-id"><code><?= $e($id) ?></code></dd>
<dt><?= $t('session.started') ?></dt><dd id="session-started"><time datetime="<?= $e($started) ?>"><?= $e($started) ?></time></dd>
<dt><?= $t('session.now') ?></dt><dd id="session-now"><time datetime="<?= $e($now) ?>"><?= $e($now) ?></time></dd>
<dt><?= $t('session.server') ?></dt><dd id="session-server"><code><?= $e($server) ?></code></dd>
</dl>
</div>
</main>
