// Blind votes on completions: which model wrote which is hidden, and the order differs from prompt to prompt. Votes are
// kept by the browser for this page, and can be saved as a file, from which `ryven-llm compare --votes` reads them.

function orderOf(prompt, count, seed) {
  // The same for a prompt each time: Fisher and Yates with a linear congruential generator.
  const order = Array.from({ length: count }, (_, i) => i);
  let state = (seed * 2654435761 + prompt * 40503 + 12345) >>> 0;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 4294967296) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function tallyOf(votes, models) {
  // How often each model was chosen; a tie counts for none.
  const counts = {};
  for (const name of models) counts[name] = 0;
  let ties = 0;
  for (const choice of Object.values(votes)) {
    if (choice in counts) counts[choice] += 1;
    else ties += 1;
  }
  return { counts, ties, votes: Object.keys(votes).length };
}

function startVoting(page) {
  const section = document.getElementById("completions");
  const key = `ryven-llm votes ${page.id}`;
  const votes = JSON.parse(localStorage.getItem(key) || "{}");
  const cards = [...section.querySelectorAll("details")];
  const status = document.getElementById("vote-status");
  const isBlind = () => section.classList.contains("blind");

  function show() {
    cards.forEach((card, prompt) => {
      const answers = card.querySelector(".answers");
      const divs = [...answers.children].sort((a, b) => a.dataset.index - b.dataset.index);
      const order = isBlind() ? orderOf(prompt, divs.length, page.seed) : divs.map((_, i) => i);
      order.forEach((index) => answers.appendChild(divs[index]));
      divs.forEach((div) => div.classList.toggle("chosen", votes[prompt] === div.dataset.model));
      card.classList.toggle("voted", prompt in votes);
    });
    const tally = tallyOf(votes, page.models);
    const each = page.models.map((name) => `${name} ${tally.counts[name]}`).join(", ");
    const shares = isBlind() ? "" : `: ${each}, ties ${tally.ties}`;
    status.textContent = `${tally.votes} of ${cards.length} voted${shares}`;
  }

  function vote(prompt, choice) {
    votes[prompt] = choice;
    localStorage.setItem(key, JSON.stringify(votes));
    show();
  }

  function button(text, action) {
    const made = document.createElement("button");
    made.textContent = text;
    made.addEventListener("click", action);
    return made;
  }

  cards.forEach((card, prompt) => {
    for (const div of card.querySelectorAll(".answers > div")) {
      div.appendChild(button("Best", () => vote(prompt, div.dataset.model)));
    }
    card.appendChild(button("Equally good", () => vote(prompt, "tie")));
  });
  const bar = document.getElementById("vote-bar");
  bar.prepend(
    button("Vote blind", () => { section.classList.toggle("blind"); show(); }),
    button("Save votes", () => {
      const named = Object.entries(votes).map(([prompt, choice]) => ({ prompt: Number(prompt), choice }));
      const text = JSON.stringify({ page: page.id, models: page.models, votes: named }, null, 2);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      link.download = "votes.json";
      link.click();
    }),
  );
  show();
}
