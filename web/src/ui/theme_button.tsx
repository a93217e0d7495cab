// One button that goes round system, light, dark.
import { useState } from "preact/hooks";
import { choice, choose, type Choice } from "../base/theme";
import { Icon, type IconName } from "./icons";

const NEXT: Record<Choice, Choice> = { system: "light", light: "dark", dark: "system" };
const ICONS: Record<Choice, IconName> = { system: "system", light: "sun", dark: "moon" };

export function ThemeButton() {
  const [chosen, setChosen] = useState(choice());
  const next = NEXT[chosen];
  return (
    <button
      type="button"
      class="icon-button"
      title={`Theme: ${chosen}`}
      aria-label={`Theme: ${chosen}. Change to ${next}.`}
      onClick={() => {
        choose(next);
        setChosen(next);
      }}
    >
      <Icon name={ICONS[chosen]} />
    </button>
  );
}
