<?php

declare(strict_types=1);

?>
<?php if ($member->role !== 'member') : ?>
 <span class="tag"><?= $t("role.$member->role") ?></span>
<?php endif ?>
